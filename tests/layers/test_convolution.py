import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = """
    name: "conv1"
    type: "Convolution"
    convolution_param {
      weight_filler { type: "msra" }
      bias_filler { type: "uniform" }
      %s
    }
"""


def convolve(
    x: NDArray[np.float64],
    weight: NDArray[np.float64],
    bias: NDArray[np.float64],
    stride: Shape,
    pad: Shape,
    dilation: Shape,
) -> NDArray[np.float64]:
    """Caffe's definition, number by number: x (N, C, *spatial), weight (M, C / group, *kernel)."""
    outputs, depth, *kernel = weight.shape
    group = x.shape[1] // depth
    spatial = [
        (n + 2 * p - (d * (k - 1) + 1)) // s + 1
        for n, k, s, p, d in zip(x.shape[2:], kernel, stride, pad, dilation, strict=True)
    ]
    y = np.empty((len(x), outputs, *spatial))
    for n, o, *place in np.ndindex(*y.shape):
        total = bias[o]
        first = o // (outputs // group) * depth
        for c, *tap in np.ndindex(depth, *kernel):
            at = tuple(
                i * s - p + t * d
                for i, s, p, t, d in zip(place, stride, pad, tap, dilation, strict=True)
            )
            if all(0 <= a < size for a, size in zip(at, x.shape[2:], strict=True)):
                total += x[(n, first + c, *at)] * weight[(o, c, *tap)]
        y[(n, o, *place)] = total
    return y


@pytest.mark.parametrize(
    ("bottom", "options", "top", "weight"),
    [
        pytest.param((2, 3, 4, 5), "kernel_size: 3", (2, 6, 2, 3), (6, 3, 3, 3), id="plain"),
        pytest.param(
            (2, 4, 3, 5), "kernel_size: 1 group: 2", (2, 6, 3, 5), (6, 2, 1, 1), id="1x1, grouped"
        ),
        pytest.param(
            (2, 3, 6, 5),
            "kernel_h: 2 kernel_w: 3 stride_h: 2 stride_w: 1 pad_w: 1",
            (2, 6, 3, 5),
            (6, 3, 2, 3),
            id="h and w",
        ),
        pytest.param(
            (2, 3, 7, 5),
            "kernel_size: [3, 2] stride: 2 pad: [1, 0] dilation: [2, 1]",
            (2, 6, 3, 2),
            (6, 3, 3, 2),
            id="one an axis",
        ),
        pytest.param((2, 3, 7), "kernel_size: 3 stride: 2", (2, 6, 3), (6, 3, 3), id="1-D"),
        pytest.param(
            (2, 1, 3, 4, 5),
            "kernel_size: 2 pad: 1 stride: 2",
            (2, 6, 2, 3, 3),
            (6, 1, 2, 2, 2),
            id="3-D",
        ),
        pytest.param((2, 3), "kernel_size: 5", (2, 6), (6, 3), id="no spatial axis"),
        pytest.param(
            (2, 3, 1, 4, 5), "kernel_size: 3 axis: 2", (2, 3, 6, 2, 3), (6, 1, 3, 3), id="axis 2"
        ),
        pytest.param((3, 4, 5), "kernel_size: 3 axis: 0", (6, 2, 3), (6, 3, 3, 3), id="axis 0"),
        pytest.param(
            (2, 3, 4, 5), "kernel_size: 3 axis: -3", (2, 6, 2, 3), (6, 3, 3, 3), id="axis -3"
        ),
        pytest.param(
            (2, 3, 4, 5),
            "kernel_size: 3 engine: CUDNN force_nd_im2col: true",
            (2, 6, 2, 3),
            (6, 3, 3, 3),
            id="engine",
        ),
    ],
)
def test_conforms(bottom: Shape, options: str, top: Shape, weight: Shape) -> None:
    layer = make_layer(PROTOTXT % f"num_output: 6 {options}", bottom)
    check_layer(layer, random_bottoms(bottom), tops=[top], blobs=[weight, (6,)])


@pytest.mark.parametrize(
    ("bottom", "axis", "kernel", "stride", "pad", "dilation", "group"),
    [
        pytest.param((2, 3, 6, 5), 1, (3, 2), (1, 1), (0, 0), (1, 1), 1, id="plain"),
        pytest.param((2, 3, 6, 7), 1, (3, 2), (2, 3), (1, 2), (2, 3), 3, id="everything"),
        pytest.param((2, 6, 3, 4), 1, (1, 1), (2, 1), (0, 0), (1, 1), 2, id="1x1"),
        pytest.param((3, 2, 8), 1, (3,), (2,), (1,), (2,), 1, id="1-D"),
        pytest.param((2, 3, 4, 3, 5), 1, (2, 2, 3), (1, 1, 2), (0, 1, 1), (1, 2, 1), 1, id="3-D"),
        pytest.param((2, 3, 4, 5, 6), 2, (3, 2), (2, 1), (1, 0), (1, 1), 2, id="axis 2"),
    ],
)
def test_value_is_a_sum_of_products_over_each_window(
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
    expected = convolve(items, weight, bias, stride, pad, dilation)

    y = layer(x)

    assert y.shape[:axis] == bottom[:axis]
    np.testing.assert_allclose(y.detach().flatten(0, axis - 1), expected, rtol=1e-10, atol=1e-12)


def test_bottoms_share_the_weights() -> None:
    shape = (2, 3, 4, 5)
    layer = make_layer(PROTOTXT % "num_output: 6 kernel_size: 3", shape, shape)
    bottoms = random_bottoms(shape, shape)

    tops = layer(*bottoms)

    assert [tuple(top.shape) for top in tops] == [(2, 6, 2, 3)] * 2
    for bottom, top in zip(bottoms, tops, strict=True):
        torch.testing.assert_close(layer(bottom), top)


def test_without_bias_there_is_one_blob() -> None:
    layer = make_layer(PROTOTXT % "num_output: 6 kernel_size: 3 bias_term: false", (2, 3, 4, 5))

    check_layer(layer, random_bottoms((2, 3, 4, 5)), tops=[(2, 6, 2, 3)], blobs=[(6, 3, 3, 3)])


def test_without_fillers_the_blobs_are_zero() -> None:
    prototxt = 'type: "Convolution" convolution_param { num_output: 6 kernel_size: 3 }'

    assert all((blob == 0).all() for blob in make_layer(prototxt, (2, 3, 4, 5)).parameters())


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("group", [1, 2, 4])
def test_channels_last_stays_and_the_weights_are_contiguous(kernel: int, group: int) -> None:
    options = f"num_output: 8 kernel_size: {kernel} group: {group}"
    layer = make_layer(PROTOTXT % options, (2, 4, 5, 6)).float()
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
            "num_output: 6 kernel_h: 3", "kernel_size", r"kernel_size is \(3, 0\)", id="no kernel_w"
        ),
        pytest.param(
            "num_output: 6 kernel_size: 3 stride: 0", "stride", r"stride is \(0, 0\)", id="stride 0"
        ),
        pytest.param(
            "num_output: 6 kernel_size: 3 dilation: [1, 0]",
            "dilation",
            r"dilation is \(1, 0\)",
            id="dilation 0",
        ),
        pytest.param(
            "num_output: 6 kernel_size: 3 pad: 1 pad_h: 1",
            "pad_h",
            "pad and pad_h are both set",
            id="pad twice",
        ),
        pytest.param(
            "num_output: 6 kernel_size: [3, 3, 3]",
            "kernel_size",
            "kernel_size is given 3 times, .* of the 2",
            id="a kernel too many",
        ),
        pytest.param(
            "num_output: 6 kernel_h: 3 kernel_w: 3 axis: 2",
            "kernel_h",
            "kernel_h and kernel_w need 2 spatial axes, the bottom has 1",
            id="h and w in 1-D",
        ),
        pytest.param(
            "num_output: 6 kernel_size: 3 group: 2", "group", "group is 2, .* 3 .* 6", id="channels"
        ),
        pytest.param(
            "num_output: 7 kernel_size: 3 group: 3", "group", "group is 3, .* 3 .* 7", id="outputs"
        ),
        pytest.param("num_output: 6 kernel_size: 3 group: 0", "group", "group is 0", id="group 0"),
        pytest.param("num_output: 6 kernel_size: 3 axis: 4", "axis", "axis is 4", id="axis"),
        pytest.param(
            'num_output: 6 kernel_size: 3 weight_filler { type: "orthogonal" }',
            "weight_filler.type",
            "weight_filler: unknown filler type 'orthogonal'",
            id="filler",
        ),
    ],
)
def test_errors_name_the_layer_and_the_field(options: str, field: str, text: str) -> None:
    prototxt = 'name: "conv1" type: "Convolution" convolution_param { %s }'

    with pytest.raises(LayerError, match=f"'conv1' .*{text}") as caught:
        make_layer(prototxt % options, (2, 3, 4, 5))

    assert caught.value.field == f"convolution_param.{field}"


def test_four_spatial_axes_are_too_many() -> None:
    with pytest.raises(LayerError, match="4 spatial axes follow axis 1"):
        make_layer(PROTOTXT % "num_output: 6 kernel_size: 1", (2, 3, 4, 5, 6, 7))


@pytest.mark.parametrize(
    ("bottoms", "text"),
    [
        pytest.param([(2, 3, 1, 5)], r"\(2, 4\) does not fit .* \(1, 5\) .* \(0, 0\)", id="small"),
        pytest.param([(2, 4, 4, 5)], "Input size incompatible with conv.* 3 channels", id="deep"),
        pytest.param([(2, 3, 4)], "Input size incompatible with conv.* 4 axes", id="flat"),
        pytest.param([(2, 3, 4, 5), (2, 3, 4, 6)], "must have one shape", id="two shapes"),
    ],
)
def test_impossible_bottoms(bottoms: list[Shape], text: str) -> None:
    layer = make_layer(PROTOTXT % "num_output: 6 kernel_size: [2, 4]", (2, 3, 4, 5))

    with pytest.raises(LayerError, match=f"'conv1' .*{text}"):
        layer.top_shapes(*bottoms)
