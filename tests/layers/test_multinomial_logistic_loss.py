import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

LOSS = 'name: "loss" type: "MultinomialLogisticLoss" top: "loss" '


@pytest.mark.parametrize(
    ("shape", "labels"),
    [
        pytest.param((6, 5), (6,), id="one axis"),
        pytest.param((4, 5, 3, 2), (4, 1, 1, 1), id="an item's numbers are its classes"),
    ],
)
def test_value_is_the_mean_of_minus_the_logarithms(shape: Shape, labels: Shape) -> None:
    layer = make_layer(LOSS, shape, labels)
    p = random_bottoms(shape)[0].detach().add(2.1).div(5).requires_grad_()
    y = torch.randint(math.prod(shape[1:]), labels).double()
    check_layer(layer, [p, y], tops=[()])

    expected = 0.0
    for line, label in zip(p.detach().reshape(len(p), -1).tolist(), y.flatten(), strict=True):
        expected -= math.log(line[int(label)]) / len(p)

    np.testing.assert_allclose(layer(p, y).detach(), expected, rtol=1e-12)


@pytest.mark.parametrize("small", [0.0, 1e-30, -0.5])
def test_a_small_probability_counts_1e_20_in_the_value_and_in_the_gradient(small: float) -> None:
    layer = make_layer(LOSS, (2, 3), (2,)).float()
    p = torch.tensor([[0.5, small, 0.5], [0.25, 0.5, 0.25]], requires_grad=True)
    y = torch.tensor([1.0, 0.0], requires_grad=True)

    loss = layer(p, y)
    loss.backward()

    assert loss.item() == pytest.approx((-math.log(1e-20) + math.log(4)) / 2)
    assert p.grad is not None
    assert p.grad.flatten().tolist() == pytest.approx([0, -0.5e20, 0, -2, 0, 0])
    assert y.grad is None


def test_probabilities_of_few_bits_are_bounded_too() -> None:
    p = torch.zeros(1, 3, dtype=torch.float16)

    loss = make_layer(LOSS, (1, 3), (1,))(p, torch.tensor([1.0]))

    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(-math.log(1e-20))


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
    p, y = torch.full((2, 3), 1 / 3), torch.tensor(labels)

    with pytest.raises(LayerError, match=rf"\(MultinomialLogisticLoss\): the {wrong}"):
        layer.check(p, y)
    assert layer(p, y).isnan()


def test_labels_of_classes_pass_the_check() -> None:
    make_layer(LOSS, (2, 3), (2,)).check(torch.zeros(2, 3), torch.tensor([0.0, 2.0]))


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
