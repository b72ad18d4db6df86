"""The policy that lowers the learning rate when training, or a test, stops improving."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from caffepy.proto import RunState, SolverState


@dataclass
class Plateau:
    """What a training watches for its `plateau` policy; smaller is better.

    value: as last seen. best: the smallest at an iteration so far. since: the iteration of the last
    best, or of the last step where that came later.
    Source: SSD's caffe/src/caffe/solvers/sgd_solver.cpp
    """

    value: float = math.inf
    best: float = math.inf
    since: int = 0

    def next_step(self, windows: Sequence[int], iteration: int, current_step: int) -> int:
        """How many steps down were made, this iteration's included; asked once in each.

        A step comes after as many iterations without a new best as the window of that step says;
        after as many steps as there are windows none comes any more.
        """
        if self.value < self.best:
            self.best, self.since = self.value, iteration
        if current_step < len(windows) and iteration - self.since >= windows[current_step]:
            self.since = iteration
            current_step += 1
        return current_step


def keep_plateau(plateau: Plateau, run: RunState) -> None:
    """Enter how far the plateau policy is, where it has seen anything."""
    if plateau.best < math.inf:
        run.plateau_best, run.plateau_since = plateau.best, plateau.since
    if plateau.value < math.inf:
        run.plateau_value = plateau.value


def kept_plateau(state: SolverState) -> Plateau:
    """How far the plateau policy was; without a word of it, it starts watching at the state."""
    value = state.run.plateau_value if state.run.HasField("plateau_value") else math.inf
    if state.run.HasField("plateau_best"):
        return Plateau(value, state.run.plateau_best, state.run.plateau_since)
    if state.HasField("minimum_loss"):
        return Plateau(value, state.minimum_loss, state.iter_last_event)
    return Plateau(value, since=state.iter)
