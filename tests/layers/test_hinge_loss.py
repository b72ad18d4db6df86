import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

LOSS = 'name: "loss" type: "HingeLoss" top: "loss" '
L2 = "hinge_loss_param { norm: L2 }"


@pytest.mark.parametrize(
    ("option", "power"), [("", 1), ("hinge_loss_param { norm: L1 }", 1), (L2, 2)]
)
@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        pytest.param((6, 5), (6,), id="one axis"),
        pytest.param((4, 5, 3, 2), (4, 1, 1, 1), id="an item's numbers are its classes"),
    ],
)
def test_value_is_the_sum_of_what_is_missing_to_the_margins(
    option: str, power: int, scores: Shape, labels: Shape
) -> None:
    layer = make_layer(LOSS + option, scores, labels)
    (x,) = random_bottoms(scores)
    y = torch.randint(math.prod(scores[1:]), labels).double()
    check_layer(layer, [x, y], tops=[()])

    expected = 0.0
    for line, label in zip(x.detach().reshape(len(x), -1).tolist(), y.flatten(), strict=True):
        for index, score in enumerate(line):
            wrong = -score if index == label else score
            expected += max(0.0, 1 + wrong) ** power / len(x)

    np.testing.assert_allclose(layer(x, y).detach(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        pytest.param("", [[0, 0, 0.5], [0.5, -0.5, 0]], id="L1"),
        pytest.param(L2, [[0, 0, 3], [1, -3, 0]], id="L2"),
    ],
)
def test_there_is_no_gradient_at_the_margin(option: str, expected: list[list[float]]) -> None:
    layer = make_layer(LOSS + option, (2, 3), (2,))
    x = torch.tensor([[1.0, -1.0, 2.0], [0.0, -2.0, -3.0]], requires_grad=True)
    y = torch.tensor([0.0, 1.0], requires_grad=True)

    layer(x, y).backward()

    assert x.grad is not None
    assert x.grad.tolist() == expected
    assert y.grad is None


def test_fractions_of_labels_are_cut_off() -> None:
    layer = make_layer(LOSS, (2, 3), (2,))
    (x,) = random_bottoms((2, 3))

    assert layer(x, torch.tensor([1.9, 0.2])) == layer(x, torch.tensor([1, 0]))


@pytest.mark.parametrize(
    ("labels", "wrong"),
    [
        pytest.param([0.0, 3.0], "label of item 1 is 3; allowed are 0 to 2:", id="too large"),
        pytest.param([-1.0, 0.0], "label of item 0 is -1; allowed are 0 to 2:", id="negative"),
    ],
)
def test_a_label_of_no_class_is_named_and_makes_the_loss_nan(
    labels: Sequence[float], wrong: str
) -> None:
    layer = make_layer(LOSS, (2, 3), (2,))
    (x,) = random_bottoms((2, 3))
    y = torch.tensor(labels)

    with pytest.raises(LayerError, match=rf"layer 'loss' \(HingeLoss\): the {wrong}"):
        layer.check(x, y)
    assert layer(x, y).isnan()


def test_labels_of_classes_pass_the_check() -> None:
    make_layer(LOSS, (2, 3), (2,)).check(torch.zeros(2, 3), torch.tensor([0.0, 2.0]))


def test_nan_scores_are_not_hidden() -> None:
    x = torch.tensor([[0, 1, 2], [0, math.nan, 2]])

    assert make_layer(LOSS, (2, 3), (2,))(x, torch.tensor([0.0, 0.0])).isnan()


def test_the_wrong_number_of_labels_is_refused_when_built_and_when_run() -> None:
    text = r"layer 'loss' .*Number of labels must match number of predictions; .*\(2, 3\)"
    with pytest.raises(LayerError, match=text):
        make_layer(LOSS, (2, 5), (2, 3))
    layer = make_layer(LOSS, (2, 5), (2,))
    with pytest.raises(LayerError, match=text):
        layer(torch.zeros(2, 5), torch.zeros(2, 3))


def test_labels_of_another_batch_size_are_refused() -> None:
    with pytest.raises(LayerError, match=r"\(2, 5\) and .* \(3,\) differ in their first axis"):
        make_layer(LOSS, (2, 5), (3,))
