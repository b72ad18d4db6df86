import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

BOTTOM = (2, 6, 7, 8)
PROTOTXT = 'name: "score" type: "Crop" crop_param { %s }'


@pytest.mark.parametrize(
    ("options", "reference", "offsets"),
    [
        pytest.param("", (1, 1, 4, 3), (0, 0, 0, 0), id="axis 2"),
        pytest.param("offset: 2", (1, 1, 4, 3), (0, 0, 2, 2), id="one offset for all"),
        pytest.param("offset: [3, 1]", (1, 1, 4, 3), (0, 0, 3, 1), id="an offset each"),
        pytest.param("offset: [0, 0]", (1, 1, 4, 3), (0, 0, 0, 0), id="offsets of 0"),
        pytest.param("axis: 1 offset: [1, 3, 5]", (9, 2, 4, 3), (0, 1, 3, 5), id="axis 1"),
        pytest.param("axis: -1 offset: 5", (9, 9, 9, 3), (0, 0, 0, 5), id="the last axis"),
        pytest.param("axis: -2 offset: [3, 1]", (9, 9, 4, 3), (0, 0, 3, 1), id="from the back"),
        pytest.param("axis: 0 offset: 1", (1, 2, 4, 3), (1, 1, 1, 1), id="every axis"),
        pytest.param("", (1, 1, 4, 3, 9), (0, 0, 0, 0), id="a reference of more axes"),
        pytest.param("", BOTTOM, (0, 0, 0, 0), id="nothing to crop"),
    ],
)
def test_value_and_gradient(options: str, reference: Shape, offsets: Shape) -> None:
    layer = make_layer(PROTOTXT % options, BOTTOM, reference)
    x, other = random_bottoms(BOTTOM, reference)
    n, c, h, w = offsets
    sizes = layer.top_shapes(BOTTOM, reference)[0]
    expected = x[n : n + sizes[0], c : c + sizes[1], h : h + sizes[2], w : w + sizes[3]]

    y = layer(x, other)
    y.sum().backward()

    assert torch.equal(y, expected)
    assert x.grad is not None
    assert x.grad.sum() == y.numel()
    assert x.grad[n, c, h, w] == 1
    assert other.grad is None


def test_sizes_are_the_references_from_the_axis_on() -> None:
    layer = make_layer(PROTOTXT % "axis: 1 offset: 1", BOTTOM, (9, 2, 3, 4))

    assert layer.top_shapes(BOTTOM, (9, 2, 3, 4)) == [(2, 2, 3, 4)]
    assert layer.top_shapes((5, 7, 8, 9), (1, 6, 7, 8)) == [(5, 6, 7, 8)]


def test_conforms() -> None:
    layer = make_layer(PROTOTXT % "offset: [1, 2]", (2, 3, 4, 5), (1, 1, 2, 3))
    x, other = random_bottoms((2, 3, 4, 5), (1, 1, 2, 3))
    check_layer(layer, [x, other.detach()], tops=[(2, 3, 2, 3)])


@pytest.mark.parametrize(
    ("options", "field", "text"),
    [
        pytest.param("axis: 4", "axis", "axis is 4, .* has 4 axes", id="axis"),
        pytest.param("axis: 1 offset: [1, 2]", "offset", "2 offsets for the 3 axes", id="offsets"),
    ],
)
def test_errors_name_the_layer_and_the_field(options: str, field: str, text: str) -> None:
    with pytest.raises(LayerError, match=f"'score' .*{text}") as caught:
        make_layer(PROTOTXT % options, BOTTOM, BOTTOM)

    assert caught.value.field == f"crop_param.{field}"


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        pytest.param((1, 1, 6, 6), r"dimension 3 is out of bounds: 6 elements from 3", id="large"),
        pytest.param((4, 5), r"\(2, 6, 7, 8\) and \(4, 5\), must have 4 axes", id="flat"),
    ],
)
def test_impossible_references(reference: Shape, text: str) -> None:
    layer = make_layer(PROTOTXT % "offset: [0, 3]", BOTTOM, (1, 1, 2, 3))

    with pytest.raises(LayerError, match=f"'score' .*{text}"):
        layer.top_shapes(BOTTOM, reference)
