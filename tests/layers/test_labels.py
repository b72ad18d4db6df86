import math

import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.labels import (
    labels_of,
    read_labels,
    require_known_labels,
    require_one_label_an_item,
)
from caffepy.layers.layer import Layer, Shape
from caffepy.proto import LayerParameter

LAYER = Layer(LayerParameter(name="loss", type="SoftmaxWithLoss"))


@pytest.mark.parametrize(
    ("label", "target", "ignored"),
    [
        pytest.param(0.0, 0, False, id="first class"),
        pytest.param(4.0, 4, False, id="last class"),
        pytest.param(1.9, 1, False, id="fraction"),
        pytest.param(-0.9, 0, False, id="negative fraction"),
        pytest.param(2.0, 2, True, id="ignored class"),
    ],
)
def test_a_label_is_a_class_or_ignored(label: float, target: int, ignored: bool) -> None:
    found = read_labels(torch.tensor([label]), classes=5, ignore=2)

    assert (found.target.item(), found.unknown.item()) == (target, False)
    assert found.ignored is not None
    assert found.ignored.item() is ignored


@pytest.mark.parametrize("label", [5.0, -1.0, math.nan, math.inf, -math.inf])
def test_a_label_of_no_class_has_a_target_that_can_be_looked_up(label: float) -> None:
    found = read_labels(torch.tensor([label]), classes=5, ignore=2)

    assert 0 <= found.target.item() < 5
    assert found.unknown.item()


def test_the_ignored_label_need_not_be_a_class() -> None:
    found = read_labels(torch.tensor([255.0, 1.0]), classes=5, ignore=255)

    assert found.unknown.tolist() == [True, False]
    assert found.ignored is not None
    assert found.ignored.tolist() == [True, False]


def test_no_label_is_ignored_unless_asked_for() -> None:
    assert read_labels(torch.tensor([0.0, 1.0]), 5, None).ignored is None


def test_whole_number_tensors_are_labels_too() -> None:
    assert read_labels(torch.tensor([3, 1]), 5, None).target.tolist() == [3, 1]


def test_costs_settle_to_nan_and_0() -> None:
    found = read_labels(torch.tensor([1.0, 2.0, 7.0]), classes=5, ignore=2)

    settled = found.settle(torch.tensor([0.5, math.nan, 3]))

    assert settled[:2].tolist() == [0.5, 0]
    assert settled[2].isnan()


def test_labels_are_laid_over_the_scores_in_order() -> None:
    labels = torch.arange(24.0).reshape(2, 12) % 5

    target = labels_of(torch.zeros(2, 3, 5, 4), labels, axis=2, ignore=None).target

    assert target.shape == (2, 3, 1, 4)
    for n, i, j in torch.cartesian_prod(*map(torch.arange, (2, 3, 4))).tolist():
        assert target[n, i, 0, j] == (12 * n + 4 * i + j) % 5


@pytest.mark.parametrize("labels", [(2, 3, 4), (2, 1, 3, 4), (2, 12), (24,)])
def test_one_label_an_item_in_any_shape_is_enough(labels: Shape) -> None:
    require_one_label_an_item(LAYER, (2, 5, 3, 4), labels, axis=1)


@pytest.mark.parametrize("labels", [(2,), (2, 5, 3, 4)])
def test_another_number_of_labels_is_refused(labels: Shape) -> None:
    with pytest.raises(LayerError) as caught:
        require_one_label_an_item(LAYER, (2, 5, 3, 4), labels, axis=1)

    assert str(caught.value) == (
        "layer 'loss' (SoftmaxWithLoss): Number of labels must match number of predictions; "
        "scores of shape (2, 5, 3, 4) with 5 classes along axis 1 take 24 labels, one for each "
        f"place in (2, 3, 4), but the labels have shape {labels}, which is {math.prod(labels)}"
    )


def test_labels_that_are_classes_or_ignored_pass() -> None:
    require_known_labels(LAYER, torch.tensor([0.0, 4.0, 255.0]), classes=5, ignore=255)


@pytest.mark.parametrize(
    ("labels", "ignore", "text"),
    [
        pytest.param(
            [0.0, 1.0, 7.0],
            None,
            "the label of item 2 is 7; allowed are 0 to 4: there are 5 classes",
            id="too large",
        ),
        pytest.param(
            [0.0, -1.0, 16777215.0],
            255,
            "the label of item 1 is -1 (and 1 more); allowed are 0 to 4, or 255 to ignore: "
            "there are 5 classes",
            id="several",
        ),
        pytest.param(
            [[[0.0, 1.0]], [[2.0, 5.0]]],
            None,
            "the label of item 1, place (0, 1) is 5; allowed are 0 to 4: there are 5 classes",
            id="inside an item",
        ),
        pytest.param(
            [16777215.0],
            None,
            "the label of item 0 is 16777215; allowed are 0 to 4: there are 5 classes",
            id="large number written out",
        ),
    ],
)
def test_a_label_of_no_class_is_named(labels: list[float], ignore: int | None, text: str) -> None:
    with pytest.raises(LayerError) as caught:
        require_known_labels(LAYER, torch.tensor(labels), classes=5, ignore=ignore)

    assert str(caught.value) == f"layer 'loss' (SoftmaxWithLoss): {text}"
