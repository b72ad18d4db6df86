"""pycaffe's solvers: a training that a script drives step by step."""

from functools import cached_property
from pathlib import Path
from typing import ClassVar, cast

from caffepy.graph.solver_nets import read_solver
from caffepy.net.stepwise import StepwiseNet, build_stepwise
from caffepy.pycaffe import mode
from caffepy.pycaffe.net import Net
from caffepy.solver.solver import Solver as Training


class Solver:
    """A training, as its solver.prototxt describes it, by the rule of the class.

    net, test_nets: live views of the nets that are trained and tested. iter: how many updates were
    made.

    Raises:
        CaffeError: a file is wrong; the message says where.
    """

    type: ClassVar[str]

    def __init__(self, solver_file: str | Path) -> None:
        file = read_solver(solver_file)
        file.param.type = self.type
        self._training = Training(file, device=mode.device(), build=build_stepwise)

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

    def step(self, count: int) -> None:
        """Make `count` updates, and test, print and snapshot where the solver says so."""
        self._training.step(count)

    def solve(self, resume_file: str | Path | None = None) -> None:
        """Train up to max_iter, from a .solverstate where one is given."""
        if resume_file is not None:
            self.restore(resume_file)
        self._training.solve()

    def restore(self, state_file: str | Path) -> None:
        """Go on from a .solverstate, with the weights it names."""
        self._training.restore(state_file)

    def snapshot(self) -> None:
        """Write the .caffemodel and the .solverstate of this iteration."""
        self._training.snapshot()

    def apply_update(self) -> None:
        """Move the parameters by what is in their diffs, as the last part of a step does."""
        self._training.apply_update()


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
    return SOLVERS[read_solver(solver_file).param.type](solver_file)
