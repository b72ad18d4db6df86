"""pycaffe's solvers: a training that a script drives step by step."""

import logging
from collections.abc import Callable
from functools import cached_property, partial
from operator import index as whole
from pathlib import Path
from typing import ClassVar, Protocol, cast, runtime_checkable

import torch

from caffepy.errors import SnapshotError, SolverError
from caffepy.graph.solver_nets import SolverFile, check_together, read_solver
from caffepy.net.stepwise import StepwiseNet, build_stepwise
from caffepy.proto import SolverParameter
from caffepy.pycaffe import mode
from caffepy.pycaffe.net import Net
from caffepy.pycaffe.net_file import show
from caffepy.pycaffe.raised import raising_theirs
from caffepy.solver.snapshot import check_writable
from caffepy.solver.solver import Solver as Training

OF_TESTS = ("test_net", "test_net_param", "test_iter", "test_state", "test_interval", "keep_best")

log = logging.getLogger(__name__)


@runtime_checkable
class Callback(Protocol):
    """What can be called in each iteration, as NCCL is."""

    def on_start(self) -> object:
        """Before the forward pass."""

    def on_gradients_ready(self) -> object:
        """After the backward pass, before the update."""


class Solver:
    """A training, as its solver.prototxt describes it, by the rule of the class.

    net, test_nets: live views of the nets that are trained and tested; in a process of another
    `solver_rank` than 0 nothing is tested, displayed or snapshotted. iter: how many updates were
    made.

    Raises:
        CaffeError: a file is wrong; the message says where.
    """

    type: ClassVar[str]

    @raising_theirs
    def __init__(self, solver_file: str | Path) -> None:
        file = _read(solver_file)
        file.param.type = self.type
        rank, world = mode.solver_rank(), mode.solver_count()
        if world > 1:
            check_together(file)
        if rank:
            _be_quiet(file.param)
        build = partial(build_stepwise, rank=rank, world=world)
        self._training = Training(file, device=mode.device(), build=build)
        self._training.updater.leaves_updates = True  # scripts look at diffs after a step
        self._rank = rank
        nets = (self._training.net, *self._training.test_nets)
        show([*file.problems, *(problem for net in nets for problem in net.graph.problems)])
        self._training.net.zero_diffs()  # so that apply_update finds some before any backward
        if rank:
            torch.manual_seed(self._training.seed + rank)

    @cached_property
    def net(self) -> Net:
        """The net that is trained."""
        return Net.around(cast("StepwiseNet", self._training.net))

    @cached_property
    def test_nets(self) -> list[Net]:
        """The nets that are tested; they share the parameters of `net`."""
        return [Net.around(cast("StepwiseNet", net)) for net in self._training.test_nets]

    @property
    def iter(self) -> int:
        """How many updates were made."""
        return self._training.iter

    @property
    def param(self) -> SolverParameter:
        """The settings, such as max_iter and base_lr; what is written into them counts."""
        return self._training.param

    @property
    def lr(self) -> float:
        """The learning rate of the next update; asking can take `multistep` a step on, as in Caffe."""
        return self._training.updater.rate(self._training.iter)

    @raising_theirs
    def step(self, count: int) -> None:
        """Make `count` updates, and test, print and snapshot where the solver says so."""
        self._training.step(whole(count))

    @raising_theirs
    def solve(self, resume_file: str | Path | None = None) -> None:
        """Train up to max_iter, from a .solverstate where one is given.

        Raises:
            SolverError: max_iter is missing, or the loss became nan or infinite.
            SnapshotError: snapshots cannot be written.
        """
        if not self.param.HasField("max_iter"):
            raise SolverError(
                "max_iter is missing: it says when `solve` ends; `step` takes a count"
            )
        if self.param.snapshot_after_train:
            check_writable(self.param.snapshot_prefix)
        if resume_file is not None:
            log.info("Restoring previous solver status from %s", resume_file)
            self.restore(resume_file)
        self._training.solve()

    def restore(self, state_file: str | Path) -> None:
        """Go on from a .solverstate, with the weights it names."""
        self._training.restore(state_file)

    def snapshot(self) -> None:
        """Write the .caffemodel and the .solverstate of this iteration."""
        if self._rank:
            raise SnapshotError(f"this solver has rank {self._rank}; the one of rank 0 snapshots")
        self._training.snapshot()

    def share_weights(self, net: Net) -> None:
        """Let a net take the parameters of the net that is trained, by layer name."""
        net.share_with(self.net)

    def apply_update(self) -> None:
        """Move the parameters by what is in their diffs, as the last part of a step does."""
        self._training.apply_update()

    def add_callback(
        self,
        on_start: Callable[[], object] | Callback,
        on_gradients_ready: Callable[[], object] | None = None,
    ) -> None:
        """Call something in each iteration of `step` and `solve` from now on.

        Args:
            on_start: called before the forward pass; or an NCCL, which knows what to do and when.
            on_gradients_ready: called between the backward pass and the update.
        """
        if callable(on_start) and callable(on_gradients_ready):
            pair = (on_start, on_gradients_ready)
        elif on_gradients_ready is None and isinstance(on_start, Callback):
            pair = (on_start.on_start, on_start.on_gradients_ready)
        else:
            raise TypeError("two functions are needed, on_start and on_gradients_ready, or an NCCL")
        self._training.callbacks.append(pair)


class SGDSolver(Solver):
    """Stochastic gradient descent with momentum."""

    type = "SGD"


class NesterovSolver(Solver):
    """Nesterov's accelerated gradient."""

    type = "Nesterov"


class AdaGradSolver(Solver):
    """AdaGrad."""

    type = "AdaGrad"


class RMSPropSolver(Solver):
    """RMSProp."""

    type = "RMSProp"


class AdaDeltaSolver(Solver):
    """AdaDelta."""

    type = "AdaDelta"


class AdamSolver(Solver):
    """Adam."""

    type = "Adam"


SOLVERS: dict[str, type[Solver]] = {
    cls.type: cls
    for cls in (
        SGDSolver,
        NesterovSolver,
        AdaGradSolver,
        RMSPropSolver,
        AdaDeltaSolver,
        AdamSolver,
    )
}


def get_solver(solver_file: str | Path) -> Solver:
    """The solver of the type that a solver.prototxt names."""
    return SOLVERS[_read(solver_file).param.type](solver_file)


def _read(path: str | Path) -> SolverFile:
    if not isinstance(path, str | Path):
        raise TypeError(f"a solver is read from a file; {path!r} is the name of none")
    return read_solver(path, stepped=True)


def _be_quiet(param: SolverParameter) -> None:
    """Leave to the process of rank 0 what need not be done twice."""
    for field in OF_TESTS:
        param.ClearField(field)
    param.display = param.snapshot = 0
    param.snapshot_after_train = False
