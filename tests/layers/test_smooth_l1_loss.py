import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

LOSS = 'name: "loss" type: "SmoothL1Loss" top: "loss" '


def cost(miss: float, sigma: float) -> float:
    if abs(miss) < 1 / sigma**2:
        return 0.5 * (sigma * miss) ** 2
    return abs(miss) - 0.5 / sigma**2


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize(
    ("option", "sigma"), [("", 1), ("smooth_l1_loss_param { sigma: 3 }", 3)], ids=["1", "3"]
)
def test_value_is_quadratic_for_near_misses_and_linear_for_far_ones(
    option: str, sigma: float, count: int
) -> None:
    shapes: list[Shape] = [(2, 3, 4), (2, 12), (2, 3, 4), (2, 12, 1)][:count]
    layer = make_layer(LOSS + option, *shapes)
    bottoms = [bottom.detach() for bottom in random_bottoms(*shapes)]
    given = [bottom.flatten().tolist() for bottom in bottoms]
    a, b, inside, outside = given + [[1.0] * 24] * (4 - count)

    expected = sum(
        v * cost(w * (x - y), sigma) / 2 for x, y, w, v in zip(a, b, inside, outside, strict=True)
    )

    np.testing.assert_allclose(layer(*bottoms), expected, rtol=1e-12)
    learning = [bottom.requires_grad_(index < 2) for index, bottom in enumerate(bottoms)]
    check_layer(layer, learning, tops=[()])


def test_both_sides_of_a_weighted_miss_get_gradients_and_the_weights_none() -> None:
    a = torch.tensor([[0.25, 3.0], [1.0, 0.0]])
    b = torch.tensor([[0.0, 0.0], [0.0, 5.0]])
    inside = torch.tensor([[1.0, 2.0], [0.0, 1.0]])
    outside = torch.tensor([[1.0, 4.0], [9.0, 1.0]])
    bottoms = [bottom.requires_grad_() for bottom in (a, b, inside, outside)]

    make_layer(LOSS, *[(2, 2)] * 4)(*bottoms).backward()

    # Inside the parabola the slope is the miss, outside 1; times both weights; half, for N is 2.
    expected = [[0.125, 4.0], [0.0, -0.5]]
    assert a.grad is not None
    assert b.grad is not None
    assert a.grad.tolist() == expected
    assert (-b.grad).tolist() == expected
    assert inside.grad is None
    assert outside.grad is None


@pytest.mark.parametrize("sigma", ["0", "-1", "nan", "inf"])
def test_a_sigma_that_is_not_above_0_is_refused(sigma: str) -> None:
    with pytest.raises(LayerError, match=rf"sigma is {sigma}; a number above 0") as caught:
        make_layer(LOSS + f"smooth_l1_loss_param {{ sigma: {sigma} }}", (2, 3), (2, 3))

    assert caught.value.field == "smooth_l1_loss_param.sigma"


def test_bottoms_of_other_sizes_are_refused_when_built_and_when_run() -> None:
    text = "Inputs must have the same dimension. .* bottom 3 of shape"
    with pytest.raises(LayerError, match=text):
        make_layer(LOSS, (2, 3), (2, 3), (2, 3), (2, 4))
    layer = make_layer(LOSS, (2, 3), (2, 3), (2, 3), (2, 3))
    with pytest.raises(LayerError, match=text):
        layer(*[torch.zeros(2, 3)] * 3, torch.zeros(2, 4))
