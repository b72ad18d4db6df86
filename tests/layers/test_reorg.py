import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "reorg" type: "Reorg" reorg_param { %s }'


def reorganise(x: NDArray[np.float64], stride: int, *, reverse: bool) -> NDArray[np.float64]:
    """The loop of darknet and of Intel's Caffe, over flat memory."""
    items, channels, height, width = x.shape
    depth = channels // stride**2
    flat, y = x.reshape(-1), np.empty(x.size)
    for n, c, h, w in np.ndindex(*x.shape):
        near = w + width * (h + height * (c + channels * n))
        offset = c // depth
        row, column = h * stride + offset // stride, w * stride + offset % stride
        far = column + width * stride * (row + height * stride * (c % depth + depth * n))
        if reverse:
            y[far] = flat[near]
        else:
            y[near] = flat[far]
    if reverse:
        return y.reshape(items, depth, height * stride, width * stride)
    return y.reshape(items, channels * stride**2, height // stride, width // stride)


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize(
    ("bottom", "stride", "top"),
    [
        pytest.param((2, 8, 4, 6), 2, (2, 32, 2, 3), id="2"),
        pytest.param((2, 18, 3, 6), 3, (2, 162, 1, 2), id="3"),
        pytest.param((2, 3, 4, 5), 1, (2, 3, 4, 5), id="1"),
    ],
)
def test_value_and_gradient(
    bottom: Shape, stride: int, top: Shape, memory: torch.memory_format
) -> None:
    layer = make_layer(PROTOTXT % f"stride: {stride}", bottom)
    x = random_bottoms(bottom)[0].detach().contiguous(memory_format=memory).requires_grad_()

    expected = reorganise(x.detach().numpy(), stride, reverse=False)

    np.testing.assert_array_equal(layer(x).detach(), expected)
    check_layer(layer, [x], tops=[top])


@pytest.mark.parametrize(
    ("bottom", "stride", "top"),
    [
        pytest.param((2, 8, 3, 5), 2, (2, 2, 6, 10), id="2"),
        pytest.param((2, 18, 1, 4), 3, (2, 2, 3, 12), id="3"),
    ],
)
def test_reverse(bottom: Shape, stride: int, top: Shape) -> None:
    layer = make_layer(PROTOTXT % f"stride: {stride} reverse: true", bottom)
    (x,) = random_bottoms(bottom)

    expected = reorganise(x.detach().numpy(), stride, reverse=True)

    np.testing.assert_array_equal(layer(x).detach(), expected)
    check_layer(layer, [x], tops=[top])


def test_the_stride_is_missing() -> None:
    with pytest.raises(LayerError, match=r"'reorg' .*stride is missing or 0") as caught:
        make_layer(PROTOTXT % "", (2, 8, 4, 6))

    assert caught.value.field == "reorg_param.stride"


@pytest.mark.parametrize(
    ("options", "bottom", "text"),
    [
        pytest.param(
            "stride: 2", (2, 6, 4, 6), "6 channels must be a multiple of 4", id="channels"
        ),
        pytest.param("stride: 2", (2, 8, 4, 5), r"\(4, 5\), of 2", id="sides"),
        pytest.param("stride: 2 reverse: true", (2, 6, 4, 5), "multiple of 4$", id="reverse"),
        pytest.param("stride: 2", (2, 8, 4), r"must be \(N, C, H, W\)", id="3 axes"),
    ],
)
def test_impossible_bottoms(options: str, bottom: Shape, text: str) -> None:
    layer = make_layer(PROTOTXT % options, (2, 8, 4, 6))

    with pytest.raises(LayerError, match=f"'reorg' .*{text}"):
        layer.top_shapes(bottom)
