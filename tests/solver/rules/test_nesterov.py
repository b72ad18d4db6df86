import pytest

from caffepy.solver.rules.nesterov import nesterov
from tests.solver.rules.trajectory import Doubles, check_trajectory


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_it_steps_from_where_momentum_leads(momentum: float) -> None:
    def naive(g: Doubles, kept: list[Doubles], rate: float, _iteration: int) -> Doubles:
        before = kept[0].copy()
        kept[0][...] = momentum * before + rate * g
        return (1 + momentum) * kept[0] - momentum * before

    check_trajectory(nesterov, naive, 1, momentum=momentum)
