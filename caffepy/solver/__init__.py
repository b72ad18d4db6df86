"""Training: the loop, the learning rate, the update rules and the snapshots."""

from caffepy.solver.requests import Action as Action
from caffepy.solver.solver import Solver as Solver
