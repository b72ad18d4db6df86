import math

import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

LOSS = 'name: "loss" type: "SigmoidCrossEntropyLoss" top: "loss" '


def cost(score: float, target: float) -> float:
    p = 1 / (1 + math.exp(-score))
    return -target * math.log(p) - (1 - target) * math.log(1 - p)


@pytest.mark.parametrize(
    ("scores", "targets"),
    [
        pytest.param((4, 5), (4, 5), id="answers"),
        pytest.param((4, 2, 3, 5), (4, 30), id="other shapes of items"),
    ],
)
def test_value_is_the_sum_of_the_costs_over_the_items(scores: Shape, targets: Shape) -> None:
    layer = make_layer(LOSS, scores, targets)
    (x,) = random_bottoms(scores)
    t = torch.rand(targets, dtype=torch.double)
    check_layer(layer, [x, t], tops=[()])

    expected = sum(map(cost, x.flatten().tolist(), t.flatten().tolist())) / 4

    np.testing.assert_allclose(layer(x, t).detach(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("option", "divisor"),
    [
        pytest.param("", 2, id="default is BATCH_SIZE"),
        pytest.param("normalization: VALID", 18, id="VALID"),
        pytest.param("normalization: FULL", 24, id="FULL"),
        pytest.param("normalization: BATCH_SIZE", 2, id="BATCH_SIZE"),
        pytest.param("normalization: NONE", 1, id="NONE"),
        pytest.param("normalize: true", 18, id="legacy true"),
        pytest.param("normalize: false", 2, id="legacy false"),
        pytest.param("normalize: false normalization: FULL", 24, id="both"),
    ],
)
def test_ignored_targets_cost_nothing_and_the_sum_is_normalized(option: str, divisor: int) -> None:
    prototxt = LOSS + f"loss_param {{ ignore_label: 255 {option} }}"
    layer = make_layer(prototxt, (2, 3, 4), (2, 3, 4))
    (x,) = random_bottoms((2, 3, 4))
    targets = np.array([255, 0.25, 1, 0] * 6)
    t = torch.from_numpy(targets).reshape(2, 3, 4)
    check_layer(layer, [x, t], tops=[()])
    costs = map(cost, x.flatten().tolist(), targets)
    expected = sum(one for one, target in zip(costs, targets, strict=True) if target != 255)

    loss = layer(x, t)
    loss.backward()

    np.testing.assert_allclose(loss.detach(), expected / divisor, rtol=1e-12)
    assert x.grad is not None
    assert not x.grad[t == 255].any()


@pytest.mark.parametrize(
    ("mode", "divisor"), [("VALID", 12), ("FULL", 12), ("BATCH_SIZE", 3), ("NONE", 1)]
)
def test_without_an_ignored_label_all_targets_are_valid(mode: str, divisor: int) -> None:
    layer = make_layer(LOSS + f"loss_param {{ normalization: {mode} }}", (3, 4), (3, 4))

    loss = layer(torch.zeros(3, 4), torch.ones(3, 4))

    assert loss.item() == pytest.approx(12 * math.log(2) / divisor)


def test_zeros_against_ones_cost_what_they_cost_in_caffe() -> None:
    layer = make_layer(LOSS, (2, 3), (2, 3))

    assert layer(torch.zeros(2, 3), torch.ones(2, 3)).item() == pytest.approx(2.0794415)


def test_fractions_of_targets_are_cut_off_before_they_are_ignored() -> None:
    layer = make_layer(LOSS + "loss_param { ignore_label: 0 }", (1, 4), (1, 4))
    x = torch.ones(1, 4, requires_grad=True)

    layer(x, torch.tensor([[0.0, 0.9, -0.5, 1.0]])).backward()

    assert x.grad is not None
    assert (x.grad != 0).tolist() == [[False, False, False, True]]


def test_where_all_is_ignored_the_loss_is_0() -> None:
    prototxt = LOSS + "loss_param { ignore_label: -1 normalization: VALID }"

    assert make_layer(prototxt, (2, 3), (2, 3))(torch.ones(2, 3), torch.full((2, 3), -1.0)) == 0


def test_large_scores_cost_themselves_and_the_gradient_stays_exact() -> None:
    layer = make_layer(LOSS, (1, 4), (1, 4)).float()
    x = torch.tensor([[1200.0, -1200.0, 1200.0, -1200.0]], requires_grad=True)
    t = torch.tensor([[0.0, 1.0, 1.0, 0.0]], requires_grad=True)

    loss = layer(x, t)
    loss.backward()

    assert loss == 2400
    assert x.grad is not None
    assert x.grad.tolist() == [[1, -1, 0, 0]]
    assert t.grad is None


def test_scores_of_few_bits_cost_as_much_as_the_same_in_float32() -> None:
    layer = make_layer(LOSS, (64, 10), (64, 10))
    x = torch.randn(64, 10, dtype=torch.bfloat16)
    t = torch.rand(64, 10).round()

    assert layer(x, t) == layer(x.float(), t)


@pytest.mark.parametrize("field", ["class_weight", "label_smoothing"])
def test_what_has_no_meaning_is_refused(field: str) -> None:
    with pytest.raises(LayerError, match=f"'loss' .*: {field} has no meaning here") as caught:
        make_layer(LOSS + f"loss_param {{ {field}: 0.5 }}", (2, 3), (2, 3))

    assert caught.value.field == f"loss_param.{field}"


def test_targets_of_another_size_are_refused_when_built_and_when_run() -> None:
    text = r"Inputs must have the same dimension. .*\(2, 3\).*\(2, 1\) has 1"
    with pytest.raises(LayerError, match=text):
        make_layer(LOSS, (2, 3), (2, 1))
    layer = make_layer(LOSS, (2, 3), (2, 3))
    with pytest.raises(LayerError, match=text):
        layer(torch.zeros(2, 3), torch.zeros(2, 1))
