"""What a training tells while it runs: Caffe's lines to the log, the numbers to whoever records."""

import logging
import time
from collections.abc import Callable, Sequence

from caffepy.net.net import Net
from caffepy.proto import SolverParameter
from caffepy.solver import report
from caffepy.solver.passes import Means

log = logging.getLogger(__name__)

Record = Callable[[str, int, Sequence[tuple[str, float]]], None]


class Journal:
    """Logs the losses, outputs and rates of a training.

    record: called with every number that is logged of an iteration: what measured it ("train",
    "test", "test_1" for the second test net, "" for the loss and the learning rate), the iteration,
    and pairs of a name and a number.
    """

    record: Record | None = None

    def __init__(self, param: SolverParameter) -> None:
        self.param = param
        self.begin(0)

    def begin(self, iteration: int) -> None:
        """From here on the next display counts its iterations and seconds."""
        self._shown, self._shown_at = iteration - 1, time.perf_counter()

    def display(self, iteration: int, loss: float, net: Net) -> None:
        """The loss of an iteration, and what the net that is trained gave."""
        now = time.perf_counter()
        passes, seconds = iteration - self._shown, now - self._shown_at
        self._shown, self._shown_at = iteration, now
        log.info(report.train_loss(iteration, loss, passes, seconds, self.param.display))
        values = report.elements(net.outputs, net.tops)
        for line in report.output_lines("Train", values, net.loss_weights):
            log.info(line)
        self._record("", iteration, [("loss", loss)])
        self._record("train", iteration, values)

    def rate(self, iteration: int, rate: float, line: str) -> None:
        """The learning rate of an iteration, and the line that says it."""
        log.info(line)
        self._record("", iteration, [("lr", rate)])

    def end(self, iteration: int, loss: float) -> None:
        """The loss after the last update."""
        log.info(report.final_loss(iteration, loss))
        self._record("", iteration, [("loss", loss)])

    def test(self, iteration: int, index: int, net: Net, means: Means) -> None:
        """What a test of the net at `index` gave."""
        group = f"test_{index}" if index else "test"
        if self.param.test_compute_loss:
            log.info(report.test_loss(means.loss))
            self._record("", iteration, [(f"{group}_loss", means.loss)])
        values = report.elements(means.outputs, means.outputs)
        for line in report.output_lines("Test", values, net.loss_weights):
            log.info(line)
        self._record(group, iteration, values)

    def _record(self, group: str, iteration: int, values: Sequence[tuple[str, float]]) -> None:
        if self.record is not None:
            self.record(group, iteration, values)
