import pytest
import torch

from caffepy.errors import LayerError
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = """
    name: "dw"
    type: "ConvolutionDepthwise"
    convolution_param {
      weight_filler { type: "msra" }
      bias_filler { type: "uniform" }
      %s
    }
"""
SHAPE = (2, 3, 6, 5)


def test_conforms() -> None:
    layer = make_layer(PROTOTXT % "num_output: 3 kernel_size: 3 stride: 2 pad: 1", SHAPE)

    check_layer(layer, random_bottoms(SHAPE), tops=[(2, 3, 3, 3)], blobs=[(3, 1, 3, 3), (3,)])


def test_it_is_a_depthwise_convolution_of_another_name() -> None:
    layer = make_layer(PROTOTXT % "kernel_size: 3", SHAPE)
    other = PROTOTXT.replace("ConvolutionDepthwise", "DepthwiseConvolution")
    (x,) = random_bottoms(SHAPE)

    torch.testing.assert_close(layer(x), make_layer(other % "kernel_size: 3", SHAPE)(x))


def test_errors_name_the_layer_and_the_field() -> None:
    with pytest.raises(
        LayerError, match=r"'dw' \(ConvolutionDepthwise\): num_output is 6"
    ) as caught:
        make_layer(PROTOTXT % "num_output: 6 kernel_size: 3", SHAPE)

    assert caught.value.field == "convolution_param.num_output"
