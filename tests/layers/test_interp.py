import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "conv5_4_interp" type: "Interp" interp_param { %s }'


def resize(plane: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """The fork's loop: corners on corners, four neighbours weighed."""
    rows, columns = plane.shape
    y = np.empty((height, width))
    for h, w in np.ndindex(height, width):
        row = h * (rows - 1) / (height - 1) if height > 1 else 0.0
        column = w * (columns - 1) / (width - 1) if width > 1 else 0.0
        top, left = int(row), int(column)
        below, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
        down, across = row - top, column - left
        y[h, w] = (1 - down) * ((1 - across) * plane[top, left] + across * plane[top, right])
        y[h, w] += down * ((1 - across) * plane[below, left] + across * plane[below, right])
    return y


@pytest.mark.parametrize(
    ("options", "size"),
    [
        pytest.param("zoom_factor: 3", (13, 16), id="zoom"),
        pytest.param("shrink_factor: 3", (2, 2), id="shrink"),
        pytest.param("shrink_factor: 2 zoom_factor: 4", (9, 9), id="shrink, then zoom"),
        pytest.param("height: 7 width: 4", (7, 4), id="size"),
        pytest.param("height: 1 width: 9", (1, 9), id="one row"),
        pytest.param("height: 5 width: 6", (5, 6), id="the same size"),
        pytest.param("height: 7 width: 4 zoom_factor: 2", (9, 11), id="a factor before the size"),
        pytest.param(
            "height: 7 width: 4 zoom_factor: 2 shrink_factor: 2", (7, 4), id="the size before both"
        ),
        pytest.param("height: 7 shrink_factor: 2", (3, 3), id="height alone does not count"),
    ],
)
def test_value_and_gradient(options: str, size: Shape) -> None:
    layer = make_layer(PROTOTXT % options, (2, 3, 5, 6))
    (x,) = random_bottoms((2, 3, 5, 6))

    y = layer(x)

    for n, c in np.ndindex(2, 3):
        expected = resize(x[n, c].detach().numpy(), *size)
        np.testing.assert_allclose(y[n, c].detach(), expected, atol=1e-12)
    check_layer(layer, [x], tops=[(2, 3, *size)])


def test_pads_cut_the_edges_before_anything_else() -> None:
    layer = make_layer(PROTOTXT % "zoom_factor: 2 pad_beg: -1 pad_end: -2", (2, 3, 6, 7))
    (x,) = random_bottoms((2, 3, 6, 7))

    y = layer(x)

    assert y.shape == (2, 3, 5, 7)
    assert torch.equal(y[:, :, ::2, ::2], x[:, :, 1:-2, 1:-2])
    check_layer(layer, [x], tops=[(2, 3, 5, 7)])


def test_channels_last_stays() -> None:
    x = random_bottoms((2, 3, 4, 5))[0].to(memory_format=torch.channels_last)

    y = make_layer(PROTOTXT % "zoom_factor: 2", (2, 3, 4, 5))(x)

    assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("options", "field", "text"),
    [
        pytest.param("", "", "no size is given", id="nothing"),
        pytest.param("height: 7", "", "no size is given", id="height alone"),
        pytest.param("height: 7 width: 0", ".height", "7 and 0, must be at least 1", id="width 0"),
        pytest.param("zoom_factor: 0", ".zoom_factor", "are 1 and 0", id="zoom 0"),
        pytest.param("shrink_factor: -2", ".shrink_factor", "are -2 and 1", id="shrink below 0"),
        pytest.param("zoom_factor: 2 pad_beg: 1", ".pad_beg", "pad_beg is 1", id="pad_beg"),
        pytest.param("zoom_factor: 2 pad_end: 3", ".pad_end", "pad_end is 3", id="pad_end"),
    ],
)
def test_errors_name_the_layer_and_the_field(options: str, field: str, text: str) -> None:
    with pytest.raises(LayerError, match=f"'conv5_4_interp' .*{text}") as caught:
        make_layer(PROTOTXT % options, (2, 3, 4, 5))

    assert caught.value.field == f"interp_param{field}"


@pytest.mark.parametrize(
    ("bottom", "text"),
    [
        pytest.param((2, 3, 4), r"\(2, 3, 4\), must be \(N, C, H, W\)", id="3 axes"),
        pytest.param((2, 3, 3, 9), r"\(-1, -2\), leave nothing of a plane of \(3, 9\)", id="cut"),
    ],
)
def test_impossible_bottoms(bottom: Shape, text: str) -> None:
    layer = make_layer(PROTOTXT % "zoom_factor: 2 pad_beg: -1 pad_end: -2", (2, 3, 4, 5))

    with pytest.raises(LayerError, match=f"'conv5_4_interp' .*{text}"):
        layer.top_shapes(bottom)
