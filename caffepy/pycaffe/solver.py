"""pycaffe's solvers: a training that a script drives step by step."""

from functools import cached_property
from pathlib import Path
from typing import cast

from caffepy.graph.solver_nets import SolverFile, read_solver
from caffepy.net.stepwise import StepwiseNet, build_stepwise
from caffepy.pycaffe import mode
from caffepy.pycaffe.net import Net
from caffepy.solver.solver import Solver as Training


class SGDSolver:
    """A training, as its solver.prototxt describes it.

    net, test_nets: live views of the nets that are trained and tested. iter: how many updates were
    made.

    Raises:
        CaffeError: a file is wrong; the message says where.
    """

    def __init__(self, solver_file: str | Path | SolverFile) -> None:
        self._training = Training(solver_file, device=mode.device(), build=build_stepwise)

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


SOLVERS = {"SGD": SGDSolver}


def get_solver(solver_file: str | Path) -> SGDSolver:
    """The solver of the type that a solver.prototxt names."""
    file = read_solver(solver_file)
    return SOLVERS[file.param.type](file)
