import numpy as np
import pytest

from caffepy.solver.rules.adam import adam
from tests.solver.rules.trajectory import Doubles, check_trajectory


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_delta_is_not_corrected(momentum: float) -> None:
    def naive(g: Doubles, kept: list[Doubles], rate: float, iteration: int) -> Doubles:
        mean, square = kept
        mean[...] = momentum * mean + (1 - momentum) * g
        square[...] = 0.99 * square + 0.01 * g**2
        correction = np.sqrt(1 - 0.99 ** (iteration + 1)) / (1 - momentum ** (iteration + 1))
        update: Doubles = rate * correction * mean / (np.sqrt(square) + 1e-2)
        return update

    check_trajectory(adam, naive, 2, counts=True, momentum=momentum, momentum2=0.99, delta=1e-2)
