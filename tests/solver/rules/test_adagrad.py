import numpy as np

from caffepy.solver.rules.adagrad import adagrad
from tests.solver.rules.trajectory import Doubles, check_trajectory


def test_the_rate_falls_with_the_gradients_seen() -> None:
    def naive(g: Doubles, kept: list[Doubles], rate: float, _iteration: int) -> Doubles:
        kept[0] += g**2
        return rate * g / (np.sqrt(kept[0]) + 1e-3)

    check_trajectory(adagrad, naive, 1, delta=1e-3)
