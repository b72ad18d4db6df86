import math

import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

LOSS = 'name: "loss" type: "ContrastiveLoss" top: "loss" '
LEGACY = "legacy_version: true"


def cost(distance: float, like: bool, margin: float, legacy: bool) -> float:
    if like:
        return distance**2
    return max(0.0, margin - distance**2) if legacy else max(0.0, margin - distance) ** 2


@pytest.mark.parametrize("margin", [None, 3.0, 20.0])
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    ("a", "b", "like"),
    [
        pytest.param((6, 4), (6, 4), (6,), id="vectors"),
        pytest.param((6, 4, 1, 1), (6, 4), (6, 1, 1, 1), id="images of one pixel"),
        pytest.param((6,), (6, 1), (6, 1), id="numbers"),
    ],
)
def test_like_pairs_cost_their_distance_and_others_what_the_margin_lacks(
    a: Shape, b: Shape, like: Shape, legacy: bool, margin: float | None
) -> None:
    option = (LEGACY if legacy else "") + ("" if margin is None else f" margin: {margin}")
    layer = make_layer(LOSS + f"contrastive_loss_param {{ {option} }}", a, b, like)
    x, y = random_bottoms(a, b)
    s = torch.tensor([1.0, 0, 1, 0, 0, 2]).reshape(like).double()
    check_layer(layer, [x, y, s], tops=[()])

    expected = 0.0
    pairs = zip(x.detach().reshape(6, -1), y.detach().reshape(6, -1), s.flatten(), strict=True)
    for one, other, alike in pairs:
        distance = math.sqrt(sum((one - other).tolist()[c] ** 2 for c in range(len(one))))
        expected += cost(distance, bool(alike), 1 if margin is None else margin, legacy) / 12

    np.testing.assert_allclose(layer(x, y, s).detach(), expected, rtol=1e-12)


def test_the_gradient_of_an_unlike_pair_divides_by_a_little_more_than_the_distance() -> None:
    layer = make_layer(LOSS + "contrastive_loss_param { margin: 0.002 }", (2, 2), (2, 2), (2,))
    a = torch.tensor([[3e-4, 4e-4], [9, 9]], dtype=torch.double, requires_grad=True)
    b = torch.tensor([[0, 0], [8, 7]], dtype=torch.double, requires_grad=True)
    s = torch.tensor([0.0, 1.0], requires_grad=True)

    layer(a, b, s).backward()

    # d is 5e-4. The derivative would be -(0.002 - d) / d * (a - b) / N.
    slope = -(0.002 - 5e-4) / (5e-4 + 1e-4) / 2
    assert a.grad is not None
    assert b.grad is not None
    expected = [slope * 3e-4, slope * 4e-4, 0.5, 1]
    assert a.grad.flatten().tolist() == pytest.approx(expected, rel=1e-6)
    assert b.grad.flatten().tolist() == pytest.approx([-g for g in expected], rel=1e-6)
    assert s.grad is None


def test_an_unlike_pair_at_one_place_gets_no_gradient() -> None:
    layer = make_layer(LOSS, (1, 3), (1, 3), (1,))
    a = torch.ones(1, 3, requires_grad=True)

    loss = layer(a, torch.ones(1, 3), torch.zeros(1))
    loss.backward()

    assert loss == 0.5
    assert a.grad is not None
    assert not a.grad.any()


@pytest.mark.parametrize("option", ["", LEGACY])
def test_a_pair_at_the_margin_gets_no_gradient(option: str) -> None:
    layer = make_layer(LOSS + f"contrastive_loss_param {{ {option} }}", (1, 2), (1, 2), (1,))
    a = torch.tensor([[1.0, 0]], requires_grad=True)

    layer(a, torch.zeros(1, 2), torch.zeros(1)).backward()

    assert a.grad is not None
    assert not a.grad.any()


def test_fractions_of_likeness_are_cut_off() -> None:
    layer = make_layer(LOSS, (2, 3), (2, 3), (2,))
    a, b = random_bottoms((2, 3), (2, 3))

    assert layer(a, b, torch.tensor([0.9, -1.5])) == layer(a, b, torch.tensor([0, 1]))


def test_a_likeness_of_nan_is_named() -> None:
    layer = make_layer(LOSS, (2, 3), (2, 3), (2,))
    pair = torch.zeros(2, 3)

    layer.check(pair, pair, torch.tensor([0.0, 1.0]))
    with pytest.raises(LayerError, match=r"'loss' \(ContrastiveLoss\): whether pair 1 is alike is"):
        layer.check(pair, pair, torch.tensor([0.0, math.nan]))


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        pytest.param([(2, 3), (2, 4), (2,)], r"shapes \(2, 3\) and \(2, 4\)", id="other lengths"),
        pytest.param(
            [(2, 3, 1, 1), (2, 3, 1, 2), (2,)],
            r"shapes \(2, 3, 1, 1\) and \(2, 3, 1, 2\); two bottoms \(N, C\)",
            id="images",
        ),
        pytest.param([(2, 3), (2, 3), (2, 3)], r"shape \(2, 3\) has 6 numbers for 2", id="likes"),
        pytest.param([(2, 3), (2, 3), (3,)], r"bottom 2 of shape \(3,\) differ", id="items"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_when_built_and_when_run(
    shapes: list[Shape], text: str
) -> None:
    with pytest.raises(LayerError, match=text):
        make_layer(LOSS, *shapes)
    layer = make_layer(LOSS, (2, 3), (2, 3), (2,))
    with pytest.raises(LayerError, match=text):
        layer(*(torch.zeros(shape) for shape in shapes))
