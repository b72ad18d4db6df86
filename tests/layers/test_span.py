import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Layer, Shape
from caffepy.layers.span import spanned, spread
from caffepy.proto import LayerParameter

LAYER = Layer(LayerParameter(name="scale", type="Scale"))
BOTTOM = (2, 3, 4, 5)


@pytest.mark.parametrize(
    ("axis", "count", "shape"),
    [
        (1, 1, (3,)),
        (0, 1, (2,)),
        (1, 2, (3, 4)),
        (1, -1, (3, 4, 5)),
        (0, -1, BOTTOM),
        (-1, 1, (5,)),
        (-2, 2, (4, 5)),
        (3, -1, (5,)),
        (1, 0, ()),
    ],
)
def test_an_array_spans_axes_of_the_bottom(axis: int, count: int, shape: Shape) -> None:
    assert spanned(LAYER, BOTTOM, axis, count, "scale_param") == shape


@pytest.mark.parametrize(
    ("axis", "count", "field", "text"),
    [
        (1, -2, "num_axes", "num_axes is -2, must be non-negative, or -1"),
        (2, 3, "num_axes", r"num_axes is 3, but from axis 2 on the bottom \(2, 3, 4, 5\) has 2"),
        (4, 1, "axis", "axis is 4, .* 4 axes"),
        (-5, -1, "axis", "axis is -5"),
    ],
)
def test_axes_that_the_bottom_lacks_are_refused(
    axis: int, count: int, field: str, text: str
) -> None:
    with pytest.raises(LayerError, match=f"'scale'.*{text}") as caught:
        spanned(LAYER, BOTTOM, axis, count, "scale_param")

    assert caught.value.field == f"scale_param.{field}"


@pytest.mark.parametrize(
    ("shape", "axis", "viewed"),
    [
        ((3,), 1, (3, 1, 1)),
        ((3, 4), 1, (3, 4, 1)),
        ((2,), 0, (2, 1, 1, 1)),
        ((2, 3), 0, (2, 3, 1, 1)),
        ((5,), -1, (5,)),
        (BOTTOM, 0, BOTTOM),
        ((), 1, ()),
        ((), 9, ()),
    ],
)
def test_an_array_is_spread_over_the_other_axes(shape: Shape, axis: int, viewed: Shape) -> None:
    array = torch.rand(shape)

    view = spread(LAYER, array, BOTTOM, axis, "scale_param")

    assert view.shape == viewed
    assert torch.equal(view.flatten(), array.flatten())


@pytest.mark.parametrize(
    ("shape", "axis", "text"),
    [
        ((4,), 1, r"shape \(4,\), laid on from axis 1, is not that part .* it must be \(3,\)"),
        ((1,), 1, r"it must be \(3,\)"),
        ((5, 1), 3, r"extends past the bottom, whose shape is \(2, 3, 4, 5\)"),
        ((5,), 4, "axis is 4"),
    ],
)
def test_an_array_of_other_sizes_is_refused(shape: Shape, axis: int, text: str) -> None:
    with pytest.raises(LayerError, match=f"'scale'.*{text}") as caught:
        spread(LAYER, torch.rand(shape), BOTTOM, axis, "scale_param")

    assert caught.value.field == "scale_param.axis"
