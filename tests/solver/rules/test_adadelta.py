import numpy as np
import pytest

from caffepy.solver.rules import adadelta as module
from caffepy.solver.rules.adadelta import adadelta
from tests.solver.rules.trajectory import Doubles, check_trajectory


@pytest.mark.parametrize("chunk", [module.CHUNK, 7], ids=["whole", "in pieces"])
def test_steps_have_the_size_of_the_steps_before(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)

    def naive(g: Doubles, kept: list[Doubles], rate: float, _iteration: int) -> Doubles:
        squares, steps = kept
        squares[...] = 0.95 * squares + 0.05 * g**2
        step = g * np.sqrt((steps + 1e-3) / (squares + 1e-3))
        steps[...] = 0.95 * steps + 0.05 * step**2
        return rate * step

    check_trajectory(adadelta, naive, 2, momentum=0.95, delta=1e-3)
