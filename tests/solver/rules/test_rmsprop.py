import numpy as np
import pytest

from caffepy.solver.rules.rmsprop import rmsprop
from tests.solver.rules.trajectory import Doubles, check_trajectory


@pytest.mark.parametrize("rms_decay", [0.0, 0.9, 0.9999])
def test_the_gradient_is_divided_by_its_running_size(rms_decay: float) -> None:
    def naive(g: Doubles, kept: list[Doubles], rate: float, _iteration: int) -> Doubles:
        kept[0][...] = rms_decay * kept[0] + (1 - rms_decay) * g**2
        return rate * g / (np.sqrt(kept[0]) + 1e-3)

    check_trajectory(rmsprop, naive, 1, rms_decay=rms_decay, delta=1e-3)
