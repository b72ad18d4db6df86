"""The solver: the one loop that trains."""

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from caffepy.errors import SolverError
from caffepy.graph.solver_nets import SolverFile, read_solver
from caffepy.net.build import build_net
from caffepy.net.debug import debugging, debugging_update
from caffepy.net.net import Net
from caffepy.net.place import place_of
from caffepy.proto import RunState, SolverState
from caffepy.proto.arrays import to_blob
from caffepy.solver import report
from caffepy.solver.divergence import Moment, diagnose, last_good, moment
from caffepy.solver.keeper import Keeper
from caffepy.solver.plateau import keep_plateau, kept_plateau
from caffepy.solver.profile import PASSES, UPDATE, Profile
from caffepy.solver.resume import take_up
from caffepy.solver.run_state import capture, recall
from caffepy.solver.setup import (
    check_format,
    choose_snapshot,
    complete,
    make_test_nets,
    make_train_net,
    sow,
    weight_files,
)
from caffepy.solver.update import Updater
from caffepy.solver.watched import watch

log = logging.getLogger(__name__)


class Action(Enum):
    """What can be asked of a running solver, by a signal for example."""

    SNAPSHOT = "snapshot"
    STOP = "stop"


class Solver:
    """A training: its nets, its settings, and the loop over updates, tests and snapshots.

    Args:
        source: a solver.prototxt.
        weights: .caffemodel files to start from, in order, in place of the solver's `weights`; each
            may be a comma list. Matched by layer name.
        snapshot: a .solverstate to go on from; it brings its own weights.
        resume: find `snapshot`, the newest valid one of the solver's prefix; without any, start as
            without `resume`.
        device: where the nets run.
        level, stages: of the train net's state, for layers with rules.
        build: makes a net of a graph, as `build_net` does.
        on_nan: what follows a loss that is nan or infinite; "continue" is Caffe's way: to train on,
            and to write snapshots of what comes of it.

    net, test_nets: the test nets share the train net's blobs. param: the settings. iter: how many
    updates were made. updater: the rate, the rule and its history. copied: what each file of
    weights did to the train net. callbacks: in each iteration the first of each is called before the
    forward pass, the second when the gradients are there. progress: called after each update with
    iter, max_iter, the smoothed loss and the learning rate. record: called with every number that is logged of an
    iteration: what measured it ("train", "test", "test_1" for the second test net, "" for the loss
    and the learning rate), the iteration, and pairs of a name and a number. profile: measures
    iterations, where it is set.

    Raises:
        ParseError, NetError, LayerError, DataError: a file or a net is wrong.
        SolverError: a setting is.
        SnapshotError: snapshots could not be written, or `snapshot` is not this solver's.
        WeightsError: the weights do not fit.
    """

    iter = 0
    stopping = False
    progress: Callable[[int, int, float, float], None] | None = None
    record: Callable[[str, int, Sequence[tuple[str, float]]], None] | None = None
    _last_snapshot: int | None = None
    _restored_losses: Sequence[float] = ()
    _test_start: RunState | None = None  # where a resumed run begins a test anew that was under way

    def __init__(  # noqa: PLR0913  all that a command line can set, by keyword
        self,
        source: str | Path | SolverFile,
        *,
        weights: str | Path | Sequence[str | Path] | None = None,
        snapshot: str | Path | None = None,
        resume: bool = False,
        device: str | torch.device = "cpu",
        level: int = 0,
        stages: Sequence[str] = (),
        build: Callable[..., Net] = build_net,
        on_nan: Literal["stop", "continue"] = "stop",
    ) -> None:
        file = source if isinstance(source, SolverFile) else read_solver(source)
        self.param = complete(file)
        self.device = torch.device(device)
        snapshot = choose_snapshot(self.param.snapshot_prefix, snapshot, resume=resume)
        self.seed = sow(self.param)
        start = self.param.weights if weights is None else weights
        files = weight_files(start) if snapshot is None else []

        make = partial(build, device=self.device, seed=self.seed)
        self.net, self.copied = make_train_net(file, make, files, level, stages)
        check_format(file, self.net)
        self.test_nets = make_test_nets(file, make, files, self.net)
        best = watch(file, "keep_best", self.test_nets)
        self._keeper = Keeper(self.param, best, finite=on_nan == "stop")
        self.updater = Updater(self.param, self.net.learnable)
        self.on_nan = on_nan
        self._watched = watch(file, "plateau_output", self.test_nets)
        self.callbacks: list[tuple[Callable[[], object], Callable[[], object]]] = []
        self.profile: Profile | None = None
        self._requests: deque[Action] = deque()
        self._losses: deque[float] = deque(maxlen=self.param.average_loss)
        log.info("Solver scaffolding done.")
        if snapshot is not None:
            log.info("Resuming from %s", snapshot)
            self.restore(snapshot)

    @property
    def smoothed_loss(self) -> float:
        """The mean of the last `average_loss` losses."""
        return sum(self._losses) / len(self._losses)

    def solve(self) -> None:
        """Train up to max_iter; then snapshot, test and print as Caffe does at the end.

        Raises:
            SolverError: the loss or the learning rate became nan or infinite.
            SnapshotError: a snapshot could not be written.
        """
        if not self.param.HasField("max_iter"):
            raise SolverError("max_iter is missing: solve() would have no end; step() needs none")
        log.info("Solving %s", self.net.name)
        log.info("Learning Rate Policy: %s", self.param.lr_policy)
        self.step(self.param.max_iter - self.iter)
        if self.param.snapshot_after_train and not self._due(self.param.snapshot):
            self.snapshot()
        if self.stopping:
            log.info("Optimization stopped early.")
            return
        self._test_start = self._capture()  # for the last test: an unbroken run reads no batch here
        if self._due(self.param.display):
            self._losses.append(float(self.net.evaluate()))
            log.info(report.final_loss(self.iter, self.smoothed_loss))
            self._record("", [("loss", self.smoothed_loss)])
        if self._due(self.param.test_interval):
            self.test_all()
        self._test_start = None
        log.info("Optimization Done.")

    def step(self, count: int) -> None:
        """Make `count` updates, and test, print and snapshot where their intervals say so."""
        self.stopping = False
        self._test_start = None
        self._losses = deque(self._restored_losses, maxlen=self.param.average_loss)
        self._restored_losses = ()
        self._shown, self._shown_at = self.iter - 1, time.perf_counter()
        end = self.iter + count
        while self.iter < end and not self.stopping:
            self._iterate()
            if self.profile is not None:
                self.profile.lap()

    def _iterate(self) -> None:
        if self._due(self.param.test_interval) and (self.iter or self.param.test_initialization):
            self.test_all()
            if self.stopping:
                return
        for on_start, _ in self.callbacks:
            on_start()
        with self._timed(PASSES):
            self._losses.append(self._forward_backward())
        if self._watched is None:
            self.updater.plateau.value = self.smoothed_loss
        if self._due(self.param.display):
            self._display()
        for _, on_gradients_ready in self.callbacks:
            on_gradients_ready()
        rate = self.apply_update()
        if self.progress is not None:
            self.progress(self.iter, self.param.max_iter, self.smoothed_loss, rate)
        self._answer_requests(snapshot=self._due(self.param.snapshot))

    def _timed(self, part: str) -> AbstractContextManager[None]:
        return nullcontext() if self.profile is None else self.profile.part(part)

    def _due(self, interval: int) -> bool:
        return interval > 0 and self.iter % interval == 0

    def _forward_backward(self) -> float:
        """The mean loss of iter_size batches, whose gradients add up."""
        before = moment(self.net)
        self.net.zero_diffs()
        total = self._pass()
        for _ in range(1, self.param.iter_size):
            total = total + self._pass()
        loss = float(total / self.param.iter_size)
        if not math.isfinite(loss):
            self._diverge(loss, before)
        return loss

    @property
    def _debugs(self) -> bool:
        return self.param.debug_info and self._due(self.param.display)

    def _pass(self) -> Tensor:
        with debugging(self.net, on=self._debugs, backward=True):
            return self.net.forward_backward()

    def _diverge(self, loss: float, before: Moment) -> None:
        what = f"iteration {self.iter}: the loss is {report.number(loss)}"
        if self.on_nan == "stop":
            where = diagnose(self.net, before, self.param.iter_size, self.seed)
            raise SolverError(
                f"{what}, so training stops; {where} (base_lr is "
                f"{report.number(self.param.base_lr)}); {last_good(self._last_snapshot)}"
            )
        if all(map(math.isfinite, self._losses)):  # else it has been said
            log.warning("%s, and training goes on, as it was asked to", what)

    def _display(self) -> None:
        now = time.perf_counter()
        passes, seconds = self.iter - self._shown, now - self._shown_at
        self._shown, self._shown_at = self.iter, now
        loss = self.smoothed_loss
        log.info(report.train_loss(self.iter, loss, passes, seconds, self.param.display))
        values = report.elements(self.net.outputs, self.net.tops)
        for line in report.output_lines("Train", values, self.net.loss_weights):
            log.info(line)
        self._record("", [("loss", loss)])
        self._record("train", values)

    def _record(self, group: str, values: Sequence[tuple[str, float]]) -> None:
        if self.record is not None:
            self.record(group, self.iter, values)

    def apply_update(self) -> float:
        """Move the parameters by their gradients, and return the learning rate of this iteration."""
        rate = self.updater.rate(self.iter)
        if self._due(self.param.display):
            log.info(self.updater.line(self.iter, rate))
            self._record("", [("lr", rate)])
        with self._timed(UPDATE), debugging_update(self.net.learnable, on=self._debugs):
            self.updater.update(rate, self.iter)
        self.iter += 1
        return rate

    def test_all(self) -> None:
        """Test every test net, in order."""
        self._test_start = self._test_start or self._capture()
        for index in range(len(self.test_nets)):
            self.test(index)
            if self.stopping:
                return
        self._test_start = None

    def test(self, index: int) -> None:
        """Print the mean of each number of each output over test_iter batches of a test net."""
        log.info(report.testing(self.iter, index))
        net, batches = self.test_nets[index], self.param.test_iter[index]
        group = f"test_{index}" if index else "test"
        loss = torch.zeros((), device=self.device)
        sums = dict.fromkeys(net.outputs, loss)
        for _ in range(batches):
            self._answer_requests()
            if self.stopping:
                log.info("Test interrupted.")
                return
            with debugging(net, on=self.param.debug_info):
                loss = loss + net.evaluate()
            sums = {name: total + net.tops[name] for name, total in sums.items()}
        if self.param.test_compute_loss:
            log.info(report.test_loss(float(loss / batches)))
            self._record("", [(f"{group}_loss", float(loss / batches))])
        means = {name: total / batches for name, total in sums.items()}
        if self._watched is not None and self._watched.net == index:
            value = self._watched.value(means)
            self.updater.plateau.value = -value if self._watched.higher else value
        values = report.elements(net.outputs, means)
        for line in report.output_lines("Test", values, net.loss_weights):
            log.info(line)
        self._record(group, values)
        if self._keeper.is_best(index, means, self.iter):
            self._keeper.save_best(self.net, self._state())

    def request(self, action: Action) -> None:
        """Ask for a snapshot or a stop, after this iteration or test batch; safe in a signal."""
        self._requests.append(action)

    def _answer_requests(self, *, snapshot: bool = False) -> None:
        while self._requests:
            action = self._requests.popleft()
            snapshot = snapshot or action is Action.SNAPSHOT
            self.stopping = self.stopping or action is Action.STOP
        if snapshot:
            self.snapshot()

    def snapshot(self) -> None:
        """Write PREFIX_iter_N.caffemodel and PREFIX_iter_N.solverstate.

        Raises:
            SnapshotError: a file cannot be written, or a parameter is nan or infinite.
        """
        self._keeper.save(self.net, self._state())
        self._last_snapshot = self.iter

    def _state(self) -> SolverState:
        return SolverState(
            iter=self.iter,
            current_step=self.updater.current_step,
            history=[to_blob(tensor.cpu().numpy()) for tensor in self.updater.history],
            run=self._test_start or self._capture(),
        )

    def _capture(self) -> RunState:
        places = [place_of(net) for net in (self.net, *self.test_nets)]
        run = capture(places, self._losses, self.seed, self.device)
        keep_plateau(self.updater.plateau, run)
        return run

    def restore(self, path: str | Path) -> None:
        """Go on from a .solverstate, also .h5, and its weights, beside it or where it says.

        One that Caffe wrote holds no data position: the data starts over.

        Raises:
            ParseError, SnapshotError, WeightsError: a file is missing, broken, or of another solver.
        """
        state = take_up(path, self.net, self.updater)
        self.iter = self._last_snapshot = state.iter
        self.updater.plateau = kept_plateau(state)
        if state.HasField("run"):
            self.seed = state.run.random_seed
            self._keeper.recall(state.run)
            self._restored_losses = list(state.run.losses)
            self._losses.extend(self._restored_losses)
            recall(state.run, self.net, self.test_nets, self.device)
