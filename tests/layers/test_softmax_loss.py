import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

LOSS = 'name: "loss" type: "SoftmaxWithLoss" top: "loss" '
WEIGHTS = "class_weight: 2 class_weight: 0.5 class_weight: 0 class_weight: 1 class_weight: 3"


def costs_of(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """-log softmax(scores)[label], classes along the last axis, one place after the other."""
    costs = np.empty(labels.shape)
    for place in np.ndindex(labels.shape):
        line = scores[place]
        costs[place] = -np.log(np.exp(line[labels[place]]) / sum(np.exp(score) for score in line))
    return costs


@pytest.mark.parametrize(
    ("option", "axis", "scores", "labels"),
    [
        pytest.param("", 1, (6, 5), (6,), id="one axis"),
        pytest.param("", 1, (6, 5), (6, 1), id="labels in a column"),
        pytest.param("", 1, (2, 5, 3, 4), (2, 1, 3, 4), id="spatial"),
        pytest.param("", 1, (2, 5, 3, 4), (2, 3, 4), id="spatial, no channel axis"),
        pytest.param("softmax_param { axis: 2 }", 2, (2, 3, 5), (2, 3), id="axis 2"),
        pytest.param("softmax_param { axis: -2 }", 2, (2, 3, 5, 4), (2, 12), id="axis -2"),
    ],
)
def test_value_is_the_mean_cost_of_the_true_classes(
    option: str, axis: int, scores: Shape, labels: Shape
) -> None:
    layer = make_layer(LOSS + option, scores, labels)
    (x,) = random_bottoms(scores)
    y = torch.randint(5, labels).double()
    check_layer(layer, [x, y], tops=[()])
    lines = np.moveaxis(x.detach().numpy(), axis, -1)
    expected = costs_of(lines, y.numpy().astype(np.int64).reshape(lines.shape[:-1])).mean()

    np.testing.assert_allclose(layer(x, y).detach(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("option", "divisor"),
    [
        pytest.param("", 18, id="default is VALID"),
        pytest.param("normalization: VALID", 18, id="VALID"),
        pytest.param("normalization: FULL", 24, id="FULL"),
        pytest.param("normalization: BATCH_SIZE", 2, id="BATCH_SIZE"),
        pytest.param("normalization: NONE", 1, id="NONE"),
        pytest.param("normalize: true", 18, id="legacy true"),
        pytest.param("normalize: false", 2, id="legacy false"),
        pytest.param("normalize: false normalization: FULL", 24, id="both"),
    ],
)
def test_ignored_items_cost_nothing_and_the_sum_is_normalized(option: str, divisor: int) -> None:
    prototxt = LOSS + f"loss_param {{ ignore_label: 2 {option} }}"
    layer = make_layer(prototxt, (2, 5, 3, 4), (2, 3, 4))
    (x,) = random_bottoms((2, 5, 3, 4))
    labels = np.array([2, 0, 1, 3] * 6).reshape(2, 3, 4)
    y = torch.from_numpy(labels)
    costs = costs_of(np.moveaxis(x.detach().numpy(), 1, -1), labels)

    check_layer(layer, [x, y.double()], tops=[()])
    loss = layer(x, y)
    loss.backward()

    np.testing.assert_allclose(loss.detach(), costs[labels != 2].sum() / divisor, rtol=1e-12)
    assert x.grad is not None
    assert not x.grad.movedim(1, -1)[y == 2].any()


@pytest.mark.parametrize("mode", ["VALID", "FULL", "BATCH_SIZE", "NONE"])
def test_where_all_is_ignored_the_loss_is_0(mode: str) -> None:
    prototxt = LOSS + f"loss_param {{ ignore_label: 255 normalization: {mode} }}"
    layer = make_layer(prototxt, (3, 5), (3,))
    (x,) = random_bottoms((3, 5))

    loss = layer(x, torch.full((3,), 255.0))
    loss.backward()

    assert loss == 0
    assert x.grad is not None
    assert not x.grad.any()


def test_value_is_capped_while_the_gradient_is_exact() -> None:
    layer = make_layer(LOSS, (2, 3), (2,)).float()
    x = torch.tensor([[500.0, 0, 0], [0, 500, 0]], requires_grad=True)

    loss = layer(x, torch.tensor([1.0, 1.0]))
    loss.backward()

    # The first item costs -log of float32's smallest normal number, the second nothing; Z is 2.
    assert loss.item() == pytest.approx(-math.log(2.0**-126) / 2)
    assert loss.item() == pytest.approx(43.66827)
    assert x.grad is not None
    assert x.grad.tolist() == [[0.5, -0.5, 0], [0, 0, 0]]


def test_a_score_of_minus_infinity_costs_the_most() -> None:
    layer = make_layer(LOSS, (1, 2), (1,))

    loss = layer(torch.tensor([[0.0, -math.inf]]), torch.tensor([1.0]))

    assert loss.item() == pytest.approx(87.33655)


def test_scores_of_few_bits_cost_as_much_as_the_same_in_float32() -> None:
    layer = make_layer(LOSS, (64, 10), (64,))
    x = torch.randn(64, 10, dtype=torch.bfloat16)
    y = torch.arange(64) % 10

    loss = layer(x, y)

    assert loss.dtype == torch.float32
    assert loss == layer(x.float(), y)


@pytest.mark.parametrize("mode", ["VALID", "BATCH_SIZE"])
def test_nan_scores_are_not_hidden(mode: str) -> None:
    layer = make_layer(LOSS + f"loss_param {{ normalization: {mode} }}", (2, 3), (2,))
    x = torch.tensor([[0, 1, 2], [0, math.nan, 2]])

    assert layer(x, torch.tensor([0.0, 0.0])).isnan()


def test_fractions_of_labels_are_cut_off() -> None:
    layer = make_layer(LOSS, (2, 3), (2,))
    (x,) = random_bottoms((2, 3))

    assert layer(x, torch.tensor([1.9, 0.2])) == layer(x, torch.tensor([1, 0]))


def test_labels_get_no_gradient() -> None:
    layer = make_layer(LOSS, (2, 3), (2,))
    (x,) = random_bottoms((2, 3))
    labels = torch.tensor([1.0, 0.0], requires_grad=True)

    layer(x, labels).backward()

    assert labels.grad is None


def test_the_second_top_is_the_probabilities() -> None:
    layer = make_layer(LOSS + 'top: "prob"', (2, 5, 3), (2, 3))
    (x,) = random_bottoms((2, 5, 3))
    y = torch.tensor([[0.0, 1, 2], [3, 4, 0]])
    check_layer(layer, [x, y], tops=[(), (2, 5, 3)])

    loss, prob = layer(x, y)

    exponentials = np.exp(x.detach().numpy())
    expected = exponentials / exponentials.sum(1, keepdims=True)
    np.testing.assert_allclose(prob.detach(), expected, rtol=1e-12)
    assert loss == make_layer(LOSS, (2, 5, 3), (2, 3))(x, y)


@pytest.mark.parametrize(
    ("option", "labels", "wrong"),
    [
        pytest.param("", [0.0, 7.0], "label of item 1 is 7; allowed are 0 to 2:", id="too large"),
        pytest.param("", [-1.0, 0.0], "label of item 0 is -1; allowed are 0 to 2:", id="negative"),
        pytest.param("", [0.0, math.nan], "label of item 1 is nan;", id="nan"),
        pytest.param(
            "loss_param { ignore_label: 255 }",
            [255.0, 254.0],
            "label of item 1 is 254; allowed are 0 to 2, or 255 to ignore:",
            id="not the ignored one",
        ),
    ],
)
def test_a_label_of_no_class_is_named_and_makes_the_loss_nan(
    option: str, labels: Sequence[float], wrong: str
) -> None:
    layer = make_layer(LOSS + option, (2, 3), (2,))
    (x,) = random_bottoms((2, 3))
    y = torch.tensor(labels)

    with pytest.raises(LayerError, match=rf"layer 'loss' \(SoftmaxWithLoss\): the {wrong}"):
        layer.check(x, y)
    assert layer(x, y).isnan()


def test_labels_of_classes_pass_the_check() -> None:
    layer = make_layer(LOSS + "loss_param { ignore_label: -1 }", (3, 3), (3,))

    layer.check(torch.zeros(3, 3), torch.tensor([0.0, 2.0, -1.0]))


def test_the_wrong_number_of_labels_is_refused_when_built_and_when_run() -> None:
    text = r"layer 'loss' .*Number of labels must match number of predictions; .*\(6, 5\).*\(4,\)"
    with pytest.raises(LayerError, match=text):
        make_layer(LOSS, (6, 5), (4,))
    layer = make_layer(LOSS, (2, 5), (2,))
    with pytest.raises(LayerError, match=text):
        layer(torch.zeros(6, 5), torch.zeros(4))


def test_labels_of_another_batch_size_are_refused() -> None:
    with pytest.raises(LayerError, match=r"\(2, 5, 3\) and .* \(3, 2\) differ in their first axis"):
        make_layer(LOSS, (2, 5, 3), (3, 2))


def test_an_axis_that_the_scores_lack_is_refused() -> None:
    with pytest.raises(LayerError, match=r"softmax_param.axis is 2") as caught:
        make_layer(LOSS + "softmax_param { axis: 2 }", (2, 3), (2,))

    assert caught.value.field == "softmax_param.axis"


@pytest.mark.parametrize(
    ("mode", "divisor"),
    [
        pytest.param("VALID", 18, id="VALID"),
        pytest.param("FULL", 24, id="FULL"),
        pytest.param("BATCH_SIZE", 2, id="BATCH_SIZE"),
        pytest.param("NONE", 1, id="NONE"),
    ],
)
def test_class_weights_multiply_costs_and_do_not_count_in_the_divisor(
    mode: str, divisor: int
) -> None:
    prototxt = LOSS + f"loss_param {{ {WEIGHTS} ignore_label: 3 normalization: {mode} }}"
    layer = make_layer(prototxt, (2, 5, 3, 4), (2, 3, 4))
    (x,) = random_bottoms((2, 5, 3, 4))
    labels = np.array([3, 0, 2, 1, 3, 4, 4, 1, 0, 0, 1, 2] + [3, 0, 1, 4] * 3).reshape(2, 3, 4)
    labels[0, 2, 3] = 3
    y = torch.from_numpy(labels)
    check_layer(layer, [x, y.double()], tops=[()])
    costs = costs_of(np.moveaxis(x.detach().numpy(), 1, -1), labels)
    weights = np.array([2, 0.5, 0, 0, 3])

    np.testing.assert_allclose(
        layer(x, y).detach(), (costs * weights[labels]).sum() / divisor, rtol=1e-12
    )


@pytest.mark.parametrize(
    ("option", "weights"),
    [
        pytest.param("", [1, 1, 1, 1, 1], id="alone"),
        pytest.param(WEIGHTS, [2, 0.5, 0, 1, 3], id="with class weights"),
    ],
)
def test_smoothed_labels_share_a_part_out_among_all_classes(
    option: str, weights: list[float]
) -> None:
    layer = make_layer(LOSS + f"loss_param {{ label_smoothing: 0.25 {option} }}", (6, 5), (6,))
    (x,) = random_bottoms((6, 5))
    labels = [0, 1, 2, 3, 4, 1]
    check_layer(layer, [x, torch.tensor(labels).double()], tops=[()])

    expected = 0.0
    for line, label in zip(x.detach().tolist(), labels, strict=True):
        for index, score in enumerate(line):
            target = 0.75 * (index == label) + 0.25 / 5
            p = math.exp(score) / sum(math.exp(other) for other in line)
            expected -= weights[label] * target * math.log(p) / 6

    np.testing.assert_allclose(layer(x, torch.tensor(labels)).detach(), expected, rtol=1e-12)


@pytest.mark.parametrize("smoothing", ["-0.5", "1", "nan"])
def test_a_smoothing_out_of_range_is_refused(smoothing: str) -> None:
    with pytest.raises(LayerError, match=rf"label_smoothing is {smoothing}; 0 or more") as caught:
        make_layer(LOSS + f"loss_param {{ label_smoothing: {smoothing} }}", (2, 3), (2,))

    assert caught.value.field == "loss_param.label_smoothing"


def test_class_weights_that_do_not_fit_are_refused_when_built_and_when_run() -> None:
    text = "5 class_weights are given for 3 classes"
    with pytest.raises(LayerError, match=text):
        make_layer(LOSS + f"loss_param {{ {WEIGHTS} }}", (2, 3), (2,))
    layer = make_layer(LOSS + f"loss_param {{ {WEIGHTS} }}", (2, 5), (2,))
    with pytest.raises(LayerError, match=text):
        layer(torch.zeros(2, 3), torch.zeros(2))
    assert not layer.state_dict()


@pytest.mark.slow
@pytest.mark.parametrize("label", [2.0, 7.0])
def test_compiles_to_one_graph(label: float) -> None:
    layer = make_layer(LOSS + 'top: "prob" loss_param { ignore_label: 1 }', (3, 5), (3,))
    (x,) = random_bottoms((3, 5))
    y = torch.tensor([0.0, 1.0, label])

    tops = torch.compile(layer, backend="aot_eager", fullgraph=True)(x, y)

    for top, expected in zip(tops, layer(x, y), strict=True):
        same: Tensor = torch.isclose(top, expected, equal_nan=True)
        assert same.all()
