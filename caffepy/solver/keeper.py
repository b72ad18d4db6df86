"""Which snapshots of a run are written, and which of them stay."""

import logging
import math
import secrets
import time
from collections.abc import Mapping

from torch import Tensor

from caffepy.net.net import Net
from caffepy.proto import BestTest, RunState, SolverParameter, SolverState
from caffepy.solver import report
from caffepy.solver.series import prune
from caffepy.solver.snapshot import check_finite, write_pair
from caffepy.solver.watched import Watched

log = logging.getLogger(__name__)


class Keeper:
    """Writes the snapshots of one run, and keeps the last of them and the best.

    watched: what `keep_best` chooses by. finite: refuse to write blobs that are not finite.
    best: the best test so far; None before the first, and without `keep_best`.
    """

    def __init__(
        self, param: SolverParameter, watched: Watched | None, *, finite: bool = True
    ) -> None:
        self.param = param
        self.watched = watched
        self.finite = finite
        self.best: BestTest | None = None
        self._run_id = secrets.randbits(64)
        self._written = 0
        if watched is not None:
            prefix = param.snapshot_prefix
            log.info(report.keeping(watched.output, watched.net, prefix, higher=watched.higher))

    def save(self, net: Net, state: SolverState) -> None:
        """Write PREFIX_iter_N.*, then delete what `keep_last` says.

        What is there to be deleted before, since a process was killed between the two, goes first:
        so there is never more than one pair too many, however often that happens.

        Raises:
            SnapshotError: a file cannot be written or removed, or a parameter is not finite.
        """
        self._prune(state.iter)
        self._write(net, state, f"{self.param.snapshot_prefix}_iter_{state.iter}")
        self._prune(state.iter)

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
        value = watched.value(means)
        if self.best is not None:
            better = value > self.best.value if watched.higher else value < self.best.value
        else:
            better = not math.isnan(value)
        if better:
            self.best = BestTest(output=watched.output, value=value, iter=iteration)
            log.info(report.best(self.best.output, value, iteration))
        return better

    def recall(self, run: RunState) -> None:
        """Be the keeper of the run that a state is of, where it says which."""
        if run.HasField("run_id"):
            self._run_id, self._written = run.run_id, run.written
        if self.watched is not None and run.best.output == self.watched.output:
            self.best = run.best

    def _prune(self, iteration: int) -> None:
        if self.param.keep_last:
            prune(self.param.snapshot_prefix, self._run_id, iteration, self.param.keep_last)

    def _write(self, net: Net, state: SolverState, stem: str) -> None:
        if self.finite:
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
