import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import make_layer, random_bottoms

ACCURACY = 'name: "acc" type: "Accuracy" top: "acc" '


@pytest.mark.parametrize("top_k", [1, 3])
@pytest.mark.parametrize(
    ("axis", "scores", "labels"),
    [
        pytest.param(1, (12, 5), (12,), id="one axis"),
        pytest.param(1, (12, 5), (12, 1), id="labels in a column"),
        pytest.param(1, (2, 5, 3, 4), (2, 1, 3, 4), id="spatial"),
        pytest.param(1, (2, 5, 3, 4), (2, 3, 4), id="spatial, no channel axis"),
        pytest.param(2, (2, 3, 5, 4), (2, 3, 4), id="axis 2"),
        pytest.param(-1, (2, 3, 4, 5), (24,), id="last axis"),
    ],
)
def test_value_is_the_part_of_items_whose_class_is_among_the_best(
    axis: int, scores: Shape, labels: Shape, top_k: int
) -> None:
    option = f"accuracy_param {{ axis: {axis} top_k: {top_k} }}"
    layer = make_layer(ACCURACY + option, scores, labels)
    (x,) = random_bottoms(scores)
    y = torch.randint(5, labels)
    lines = np.moveaxis(x.detach().numpy(), axis, -1)
    truth = y.numpy().reshape(lines.shape[:-1])
    right = [
        truth[place] in sorted(range(5), key=lambda c: -lines[place][c])[:top_k]
        for place in np.ndindex(truth.shape)
    ]

    assert layer.top_shapes(scores, labels) == [()]
    accuracy = layer(x, y)

    assert accuracy.item() == pytest.approx(sum(right) / len(right))
    assert not accuracy.requires_grad


@pytest.mark.parametrize(("top_k", "expected"), [(1, 0), (2, 2 / 3), (3, 1)])
def test_ties_count_against_it(top_k: int, expected: float) -> None:
    layer = make_layer(ACCURACY + f"accuracy_param {{ top_k: {top_k} }}", (3, 3), (3,))
    scores = torch.tensor([[1.0, 1, 0], [1, 2, 2], [3, 3, 3]])

    assert layer(scores, torch.tensor([0.0, 1, 2])).item() == pytest.approx(expected)


def test_ignored_items_are_left_out() -> None:
    layer = make_layer(ACCURACY + "accuracy_param { ignore_label: 2 }", (4, 3), (4,))
    scores = torch.tensor([[9.0, 0, 0], [9, 0, 0], [0, 0, 9], [9, 0, 0]])

    assert layer(scores, torch.tensor([0, 1, 2, 2])) == 0.5


def test_where_all_is_ignored_the_accuracy_is_0() -> None:
    option = 'top: "by_class" accuracy_param { ignore_label: 255 }'
    layer = make_layer(ACCURACY + option, (2, 3), (2,))

    accuracy, by_class = layer(torch.eye(3)[:2], torch.tensor([255.0, 255.0]))

    assert accuracy == 0
    assert by_class.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        pytest.param("", [2 / 3, 0, 0, 1], id="all"),
        pytest.param("accuracy_param { ignore_label: 3 }", [2 / 3, 0, 0, 0], id="class 3 ignored"),
    ],
)
def test_the_second_top_is_the_accuracy_of_each_class(option: str, expected: list[float]) -> None:
    layer = make_layer(ACCURACY + 'top: "by_class" ' + option, (6, 4), (6,))
    labels = torch.tensor([0, 0, 0, 1, 3, 3])
    guesses = torch.tensor([0, 0, 1, 2, 3, 3])

    assert layer.top_shapes((6, 4), (6,)) == [(), (4,)]
    _, by_class = layer(torch.eye(4)[guesses], labels)

    assert by_class.tolist() == pytest.approx(expected)


def test_the_second_top_counts_places_inside_items() -> None:
    layer = make_layer(ACCURACY + 'top: "by_class"', (1, 2, 3), (1, 3))
    scores = torch.tensor([[[5.0, 0, 5], [0, 5, 0]]])  # guesses 0 1 0

    _, by_class = layer(scores, torch.tensor([[0.0, 1, 1]]))

    assert by_class.tolist() == [1, 0.5]


@pytest.mark.parametrize(("top_k", "place"), [(1, 0), (2, 0), (1, 1)])
def test_an_item_with_a_nan_score_is_wrong(top_k: int, place: int) -> None:
    layer = make_layer(ACCURACY + f"accuracy_param {{ top_k: {top_k} }}", (2, 3), (2,))
    scores = torch.tensor([[5.0, 0, 0], [5.0, 0, 0]])
    scores[1, place] = math.nan

    assert layer(scores, torch.tensor([0, 0])) == 0.5


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_count_is_float32_whatever_the_scores_are(dtype: torch.dtype) -> None:
    layer = make_layer(ACCURACY, (1000, 2), (1000,))
    scores = torch.tensor([[1, 0]], dtype=dtype).repeat(1000, 1)

    accuracy = layer(scores, (torch.arange(1000) < 1).float())

    assert accuracy.dtype == torch.float32
    assert accuracy.item() == pytest.approx(0.999)


@pytest.mark.parametrize(
    ("option", "labels", "wrong"),
    [
        pytest.param("", [0.0, 7.0], "label of item 1 is 7; allowed are 0 to 2:", id="too large"),
        pytest.param(
            "accuracy_param { ignore_label: 255 }",
            [255.0, -1.0],
            "label of item 1 is -1; allowed are 0 to 2, or 255 to ignore:",
            id="not the ignored one",
        ),
    ],
)
def test_a_label_of_no_class_is_named_and_makes_the_accuracy_nan(
    option: str, labels: Sequence[float], wrong: str
) -> None:
    layer = make_layer(ACCURACY + option, (2, 3), (2,))
    x, y = torch.eye(3)[:2], torch.tensor(labels)

    with pytest.raises(LayerError, match=rf"layer 'acc' \(Accuracy\): the {wrong}"):
        layer.check(x, y)
    assert layer(x, y).isnan()


def test_labels_of_classes_pass_the_check() -> None:
    layer = make_layer(ACCURACY + "accuracy_param { axis: -1 ignore_label: -1 }", (1, 3, 4), (3,))

    layer.check(torch.zeros(1, 3, 4), torch.tensor([0.0, 3.0, -1.0]))


def test_the_wrong_number_of_labels_is_refused_when_built_and_when_run() -> None:
    text = r"layer 'acc' .*Number of labels must match number of predictions; .*\(6, 5\).*\(4,\)"
    with pytest.raises(LayerError, match=text):
        make_layer(ACCURACY, (6, 5), (4,))
    layer = make_layer(ACCURACY, (2, 5), (2,))
    with pytest.raises(LayerError, match=text):
        layer(torch.zeros(6, 5), torch.zeros(4))


@pytest.mark.parametrize("top_k", [0, 4])
def test_more_best_classes_than_there_are_is_refused(top_k: int) -> None:
    with pytest.raises(LayerError, match=rf"top_k is {top_k}.* 3 classes.*1 to 3") as caught:
        make_layer(ACCURACY + f"accuracy_param {{ top_k: {top_k} }}", (2, 3), (2,))

    assert caught.value.field == "accuracy_param.top_k"


def test_an_axis_that_the_scores_lack_is_refused() -> None:
    with pytest.raises(LayerError, match=r"accuracy_param.axis is 2"):
        make_layer(ACCURACY + "accuracy_param { axis: 2 }", (2, 3), (2,))
