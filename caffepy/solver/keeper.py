"""Which snapshots of a run are written, and which of them stay."""

import logging
import math
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from caffepy.errors import SolverError, near
from caffepy.graph.solver_nets import SolverFile
from caffepy.net.net import Net
from caffepy.proto import BestTest, RunState, SolverParameter, SolverState
from caffepy.solver import report
from caffepy.solver.series import prune
from caffepy.solver.snapshot import check_finite, write_pair

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watched:
    """The test output by which `keep_best` chooses: of which test net, and which way is better."""

    output: str
    net: int
    higher: bool


def watch(file: SolverFile, test_nets: Sequence[Net]) -> Watched | None:
    """The output that a solver's `keep_best` names, in the first test net that has it.

    Lower is better for what training minimises: an output with a positive loss weight, or without
    one, of a type whose name ends in Loss. All others are scores, of which higher is better.

    Raises:
        SolverError: no test net has the output, or it is more than one number.
    """
    name, where = file.param.keep_best, file.position.at("keep_best")
    if not file.param.HasField("keep_best"):
        return None
    found = [index for index, net in enumerate(test_nets) if name in net.outputs]
    if not found:
        known = sorted({output for net in test_nets for output in net.outputs})
        raise SolverError(
            f"{where}: keep_best: no test net has an output {name!r}; there are "
            f"{', '.join(known)}{near(name, known)}"
        )
    net = test_nets[found[0]]
    shape = net.shapes[name]
    if math.prod(shape) != 1:
        raise SolverError(
            f"{where}: keep_best: output {name!r} has shape {tuple(shape)}, and must be one number"
        )
    weight = net.loss_weights.get(name, 0.0)
    kind = [layer.param.type for layer, step in net.plan() if name in step.tops][-1]
    higher = weight < 0 or (weight == 0 and not kind.endswith("Loss"))
    log.info(report.keeping(name, found[0], file.param.snapshot_prefix, higher=higher))
    return Watched(name, found[0], higher)


class Keeper:
    """Writes the snapshots of one run, and keeps the last of them and the best.

    best: the best test so far; None before the first, and without `keep_best`.
    """

    def __init__(self, param: SolverParameter, watched: Watched | None) -> None:
        self.param = param
        self.watched = watched
        self.best: BestTest | None = None
        self._run_id = secrets.randbits(64)
        self._written = 0

    def save(self, net: Net, state: SolverState) -> None:
        """Write PREFIX_iter_N.*, then delete what `keep_last` says.

        Raises:
            SnapshotError: a file cannot be written or removed, or a parameter is not finite.
        """
        prefix = self.param.snapshot_prefix
        self._write(net, state, f"{prefix}_iter_{state.iter}")
        if self.param.keep_last:
            prune(prefix, self._run_id, state.iter, self.param.keep_last)

    def save_best(self, net: Net, state: SolverState) -> None:
        """Write PREFIX_best.* in place of what was best before.

        Raises:
            SnapshotError: as `save` does.
        """
        self._write(net, state, f"{self.param.snapshot_prefix}_best")

    def is_best(self, index: int, means: Mapping[str, Tensor], iteration: int) -> bool:
        """Whether a test of the net at `index` is the best so far, which is noted then."""
        watched = self.watched
        if watched is None or watched.net != index:
            return False
        value = float(means[watched.output])
        if self.best is not None:
            better = value > self.best.value if watched.higher else value < self.best.value
        else:
            better = not math.isnan(value)
        if better:
            self.best = BestTest(output=watched.output, value=value, iter=iteration)
            log.info(report.best(self.best.output, value, iteration))
        return better

    def recall(self, run: RunState) -> None:
        """Be the keeper of the run that a state is of."""
        self._run_id = run.run_id
        self._written = run.written
        if self.watched is not None and run.best.output == self.watched.output:
            self.best = run.best

    def _write(self, net: Net, state: SolverState, stem: str) -> None:
        check_finite(net.learnable, state.iter)
        # Later than the last, even where the clock was set back meanwhile.
        self._written = max(time.time_ns() // 1000, self._written + 1)
        state.run.run_id = self._run_id
        state.run.written = self._written
        state.run.solver_type = self.param.type
        if self.best is not None:
            state.run.best.CopyFrom(self.best)
        hdf5 = self.param.snapshot_format == SolverParameter.HDF5
        write_pair(net, state, stem, hdf5=hdf5, diffs=self.param.snapshot_diff)
