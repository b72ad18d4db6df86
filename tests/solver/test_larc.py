import pytest
import torch

from caffepy.solver.larc import trust


def test_it_is_the_ratio_of_the_norms() -> None:
    weights, gradient = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, -2.0]])
    assert trust(weights, gradient, 0.01) == pytest.approx(0.01 * 5 / 2)


@pytest.mark.parametrize(("weight", "gradient"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0)])
def test_it_is_1_without_weights_or_gradient(weight: float, gradient: float) -> None:
    assert trust(torch.full((2, 3), weight), torch.full((2, 3), gradient), 0.01) == 1
