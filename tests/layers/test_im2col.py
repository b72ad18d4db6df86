import math

import numpy as np
import pytest
from numpy.typing import NDArray

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "cols" type: "Im2col" convolution_param { %s }'


def unroll(
    x: NDArray[np.float64], kernel: Shape, stride: Shape, pad: Shape, dilation: Shape
) -> NDArray[np.float64]:
    """Caffe's definition, number by number: x (N, C, *spatial)."""
    spatial = [
        (n + 2 * p - (d * (k - 1) + 1)) // s + 1
        for n, k, s, p, d in zip(x.shape[2:], kernel, stride, pad, dilation, strict=True)
    ]
    y = np.zeros((len(x), x.shape[1], *kernel, *spatial))
    for n, c, *rest in np.ndindex(*y.shape):
        tap, place = rest[: len(kernel)], rest[len(kernel) :]
        at = tuple(
            i * s - p + t * d
            for i, s, p, t, d in zip(place, stride, pad, tap, dilation, strict=True)
        )
        if all(0 <= a < size for a, size in zip(at, x.shape[2:], strict=True)):
            y[(n, c, *tap, *place)] = x[(n, c, *at)]
    return y.reshape(len(x), -1, *spatial)


@pytest.mark.parametrize(
    ("bottom", "axis", "kernel", "stride", "pad", "dilation"),
    [
        pytest.param((2, 3, 6, 5), 1, (3, 2), (1, 1), (0, 0), (1, 1), id="plain"),
        pytest.param((2, 3, 6, 7), 1, (3, 2), (2, 3), (1, 2), (2, 3), id="everything"),
        pytest.param((2, 3, 4, 5), 1, (1, 1), (1, 1), (0, 0), (1, 1), id="1x1"),
        pytest.param((3, 2, 8), 1, (3,), (2,), (1,), (2,), id="1-D"),
        pytest.param((2, 3, 4, 3, 5), 1, (2, 2, 3), (1, 1, 2), (0, 1, 1), (1, 2, 1), id="3-D"),
        pytest.param((2, 1, 2, 3, 4, 3), 1, (2, 1, 2, 2), (1,) * 4, (0,) * 4, (1,) * 4, id="4-D"),
        pytest.param((2, 3, 4, 5, 6), 2, (3, 2), (2, 1), (1, 0), (1, 1), id="axis 2"),
        pytest.param((3, 4, 5), 0, (3, 2), (1, 1), (1, 0), (1, 1), id="axis 0"),
    ],
)
def test_each_place_holds_its_window(
    bottom: Shape, axis: int, kernel: Shape, stride: Shape, pad: Shape, dilation: Shape
) -> None:
    options = f"""
        axis: {axis} kernel_size: {list(kernel)} stride: {list(stride)} pad: {list(pad)}
        dilation: {list(dilation)}
    """
    layer = make_layer(PROTOTXT % options, bottom)
    (x,) = random_bottoms(bottom)
    items = x.detach().numpy().reshape(math.prod(bottom[:axis]), *bottom[axis:])
    expected = unroll(items, kernel, stride, pad, dilation)
    top = (*bottom[:axis], *expected.shape[1:])

    np.testing.assert_array_equal(layer(x).detach(), expected.reshape(top))
    check_layer(layer, [x], tops=[top])


def test_h_and_w_and_other_sizes() -> None:
    layer = make_layer(PROTOTXT % "kernel_h: 2 kernel_w: 3 stride_h: 2 stride_w: 1", (2, 3, 6, 5))

    assert layer.top_shapes((2, 3, 6, 5)) == [(2, 18, 3, 3)]
    assert layer.top_shapes((4, 5, 8, 7)) == [(4, 30, 4, 5)]


@pytest.mark.parametrize(
    ("options", "field", "text"),
    [
        pytest.param("", "kernel_size", r"kernel_size is \(0, 0\)", id="no kernel"),
        pytest.param("kernel_size: 2 axis: 3", "axis", "no spatial axis follows axis 3", id="axes"),
        pytest.param("kernel_size: 2 axis: 4", "axis", "axis is 4", id="axis"),
    ],
)
def test_errors_name_the_layer_and_the_field(options: str, field: str, text: str) -> None:
    with pytest.raises(LayerError, match=f"'cols' .*{text}") as caught:
        make_layer(PROTOTXT % options, (2, 3, 4, 5))

    assert caught.value.field == f"convolution_param.{field}"


@pytest.mark.parametrize(
    ("bottom", "text"),
    [
        pytest.param((2, 3, 4, 1), r"\(3, 3\) does not fit into a bottom of \(4, 1\)", id="small"),
        pytest.param((2, 3, 4), r"shape is \(2, 3, 4\), must have 4 axes", id="flat"),
    ],
)
def test_impossible_bottoms(bottom: Shape, text: str) -> None:
    layer = make_layer(PROTOTXT % "kernel_size: 3", (2, 3, 4, 5))

    with pytest.raises(LayerError, match=f"'cols' .*{text}"):
        layer.top_shapes(bottom)
