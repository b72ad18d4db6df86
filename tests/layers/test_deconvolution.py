import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = """
    name: "up"
    type: "Deconvolution"
    convolution_param {
      weight_filler { type: "msra" }
      bias_filler { type: "uniform" }
      %s
    }
"""


def spread(
    x: NDArray[np.float64],
    weight: NDArray[np.float64],
    bias: NDArray[np.float64],
    stride: Shape,
    pad: Shape,
    dilation: Shape,
) -> NDArray[np.float64]:
    """Caffe's definition, number by number: x (N, C, *spatial), weight (C, M / group, *kernel)."""
    channels, depth, *kernel = weight.shape
    group = len(bias) // depth
    spatial = [
        s * (n - 1) + d * (k - 1) + 1 - 2 * p
        for n, k, s, p, d in zip(x.shape[2:], kernel, stride, pad, dilation, strict=True)
    ]
    y = np.zeros((len(x), len(bias), *spatial))
    for n, c, *place in np.ndindex(*x.shape):
        first = c // (channels // group) * depth
        for o, *tap in np.ndindex(depth, *kernel):
            at = tuple(
                i * s - p + t * d
                for i, s, p, t, d in zip(place, stride, pad, tap, dilation, strict=True)
            )
            if all(0 <= a < size for a, size in zip(at, spatial, strict=True)):
                y[(n, first + o, *at)] += x[(n, c, *place)] * weight[(c, o, *tap)]
    return y + bias.reshape(-1, *[1] * len(kernel))


@pytest.mark.parametrize(
    ("bottom", "options", "top", "weight"),
    [
        pytest.param((2, 3, 4, 5), "kernel_size: 3", (2, 6, 6, 7), (3, 6, 3, 3), id="plain"),
        pytest.param(
            (2, 4, 3, 5),
            "kernel_size: 4 stride: 2 pad: 1 group: 2",
            (2, 6, 6, 10),
            (4, 3, 4, 4),
            id="grouped",
        ),
        pytest.param(
            (2, 3, 4, 5),
            "kernel_h: 2 kernel_w: 3 stride_h: 2 stride_w: 1 pad_w: 1",
            (2, 6, 8, 5),
            (3, 6, 2, 3),
            id="h and w",
        ),
        pytest.param((2, 3, 7), "kernel_size: 3 stride: 2", (2, 6, 15), (3, 6, 3), id="1-D"),
        pytest.param(
            (2, 1, 2, 3, 4),
            "kernel_size: 2 stride: 2",
            (2, 6, 4, 6, 8),
            (1, 6, 2, 2, 2),
            id="3-D",
        ),
        pytest.param((2, 3), "kernel_size: 5", (2, 6), (3, 6), id="no spatial axis"),
        pytest.param(
            (2, 3, 1, 4, 5), "kernel_size: 3 axis: 2", (2, 3, 6, 6, 7), (1, 6, 3, 3), id="axis 2"
        ),
    ],
)
def test_conforms(bottom: Shape, options: str, top: Shape, weight: Shape) -> None:
    layer = make_layer(PROTOTXT % f"num_output: 6 {options}", bottom)
    check_layer(layer, random_bottoms(bottom), tops=[top], blobs=[weight, (6,)])


@pytest.mark.parametrize(
    ("bottom", "axis", "kernel", "stride", "pad", "dilation", "group"),
    [
        pytest.param((2, 3, 4, 5), 1, (3, 2), (1, 1), (0, 0), (1, 1), 1, id="plain"),
        pytest.param((2, 3, 4, 5), 1, (3, 2), (2, 3), (1, 2), (2, 3), 3, id="everything"),
        pytest.param((3, 2, 5), 1, (3,), (2,), (1,), (2,), 1, id="1-D"),
        pytest.param((2, 3, 2, 3, 4), 1, (2, 2, 3), (1, 1, 2), (0, 1, 1), (1, 2, 1), 1, id="3-D"),
        pytest.param((2, 3, 4, 5, 6), 2, (3, 2), (2, 1), (1, 0), (1, 1), 2, id="axis 2"),
    ],
)
def test_each_element_adds_its_multiple_of_the_filter(
    bottom: Shape, axis: int, kernel: Shape, stride: Shape, pad: Shape, dilation: Shape, group: int
) -> None:
    options = f"""
        num_output: 6 axis: {axis} group: {group} kernel_size: {list(kernel)}
        stride: {list(stride)} pad: {list(pad)} dilation: {list(dilation)}
    """
    layer = make_layer(PROTOTXT % options, bottom)
    (x,) = random_bottoms(bottom)
    weight, bias = (blob.detach().numpy() for blob in layer.parameters())
    items = x.detach().numpy().reshape(math.prod(bottom[:axis]), *bottom[axis:])
    expected = spread(items, weight, bias, stride, pad, dilation)

    y = layer(x)

    np.testing.assert_allclose(y.detach().flatten(0, axis - 1), expected, rtol=1e-10, atol=1e-12)


def test_the_bilinear_filler_enlarges() -> None:
    prototxt = """type: "Deconvolution" convolution_param { kernel_size: 4 stride: 2 pad: 1 group: 3
        num_output: 3 bias_term: false weight_filler { type: "bilinear" } }"""
    layer = make_layer(prototxt, (1, 3, 4, 5))
    x = torch.arange(5.0).double().expand(1, 3, 4, 5)

    y = layer(x)

    assert y.shape == (1, 3, 8, 10)
    # Inside, a slope of 1 a pixel becomes one of 1/2 a pixel.
    torch.testing.assert_close(y[0, 1, 3, 1:-1], torch.arange(0.25, 4, 0.5).double())


def test_bottoms_share_the_weights() -> None:
    shape = (2, 3, 4, 5)
    layer = make_layer(PROTOTXT % "num_output: 6 kernel_size: 3", shape, shape)
    bottoms = random_bottoms(shape, shape)

    tops = layer(*bottoms)

    assert [tuple(top.shape) for top in tops] == [(2, 6, 6, 7)] * 2
    for bottom, top in zip(bottoms, tops, strict=True):
        torch.testing.assert_close(layer(bottom), top)


def test_without_bias_there_is_one_blob() -> None:
    layer = make_layer(PROTOTXT % "num_output: 6 kernel_size: 3 bias_term: false", (2, 3, 4, 5))

    check_layer(layer, random_bottoms((2, 3, 4, 5)), tops=[(2, 6, 6, 7)], blobs=[(3, 6, 3, 3)])


def test_channels_last_stays_and_the_weights_are_contiguous() -> None:
    layer = make_layer(PROTOTXT % "num_output: 8 kernel_size: 3", (2, 4, 5, 6)).float()
    x = random_bottoms((2, 4, 5, 6))[0].float().to(memory_format=torch.channels_last)

    y = layer(x)

    assert y.is_contiguous(memory_format=torch.channels_last)
    assert all(blob.is_contiguous() for blob in layer.parameters())


@pytest.mark.parametrize(
    ("options", "field", "text"),
    [
        pytest.param("kernel_size: 3", "num_output", "num_output is missing or 0", id="num_output"),
        pytest.param("num_output: 6", "kernel_size", r"kernel_size is \(0, 0\)", id="no kernel"),
        pytest.param(
            "num_output: 6 kernel_size: 3 group: 2", "group", "group is 2, .* 3 .* 6", id="channels"
        ),
        pytest.param(
            "num_output: 7 kernel_size: 3 group: 3", "group", "group is 3, .* 3 .* 7", id="outputs"
        ),
    ],
)
def test_errors_name_the_layer_and_the_field(options: str, field: str, text: str) -> None:
    prototxt = 'name: "up" type: "Deconvolution" convolution_param { %s }'

    with pytest.raises(LayerError, match=f"'up' .*{text}") as caught:
        make_layer(prototxt % options, (2, 3, 4, 5))

    assert caught.value.field == f"convolution_param.{field}"


@pytest.mark.parametrize(
    ("bottoms", "text"),
    [
        pytest.param([(2, 3, 1, 5)], r"\(1, 5\) would have a top of \(0, 4\)", id="pad"),
        pytest.param([(2, 4, 4, 5)], "Input size incompatible with conv.* 3 channels", id="deep"),
        pytest.param([(2, 3, 4, 5), (2, 3, 4, 6)], "must have one shape", id="two shapes"),
    ],
)
def test_impossible_bottoms(bottoms: list[Shape], text: str) -> None:
    layer = make_layer(PROTOTXT % "num_output: 6 kernel_size: 2 pad: 1", (2, 3, 4, 5))

    with pytest.raises(LayerError, match=f"'up' .*{text}"):
        layer.top_shapes(*bottoms)
