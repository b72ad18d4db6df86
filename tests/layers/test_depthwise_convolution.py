import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = """
    name: "conv2_1/dw"
    type: "DepthwiseConvolution"
    convolution_param {
      weight_filler { type: "msra" }
      bias_filler { type: "uniform" }
      %s
    }
"""


@pytest.mark.parametrize(
    ("bottom", "options", "top", "weight"),
    [
        pytest.param((2, 3, 4, 5), "kernel_size: 3", (2, 3, 2, 3), (3, 1, 3, 3), id="plain"),
        pytest.param(
            (2, 3, 7, 5),
            "num_output: 3 group: 3 kernel_size: [3, 2] stride: 2 pad: [1, 0] dilation: [2, 1]",
            (2, 3, 3, 2),
            (3, 1, 3, 2),
            id="everything",
        ),
        pytest.param((2, 3, 7), "kernel_size: 3 stride: 2", (2, 3, 3), (3, 1, 3), id="1-D"),
        pytest.param((2, 3, 2, 4, 5), "kernel_size: 2", (2, 3, 1, 3, 4), (3, 1, 2, 2, 2), id="3-D"),
        pytest.param(
            (2, 4, 3, 6, 5), "kernel_size: 3 axis: 2", (2, 4, 3, 4, 3), (3, 1, 3, 3), id="axis 2"
        ),
    ],
)
def test_conforms(bottom: Shape, options: str, top: Shape, weight: Shape) -> None:
    layer = make_layer(PROTOTXT % options, bottom)
    check_layer(layer, random_bottoms(bottom), tops=[top], blobs=[weight, (3,)])


def test_it_is_a_convolution_with_a_group_for_each_channel() -> None:
    shape = (2, 4, 6, 5)
    options = "num_output: 4 group: 4 kernel_size: 3 stride: 2 pad: 1"
    layer = make_layer(PROTOTXT % options, shape)
    grouped = make_layer((PROTOTXT % options).replace("Depthwise", ""), shape)
    (x,) = random_bottoms(shape)

    for blob, other in zip(layer.parameters(), grouped.parameters(), strict=True):
        assert torch.equal(blob, other)
    torch.testing.assert_close(layer(x), grouped(x))


def test_bottoms_share_the_weights() -> None:
    shape = (2, 3, 4, 5)
    layer = make_layer(PROTOTXT % "kernel_size: 3 bias_term: false", shape, shape)

    assert [tuple(blob.shape) for blob in layer.parameters()] == [(3, 1, 3, 3)]
    assert layer.top_shapes(shape, shape) == [(2, 3, 2, 3)] * 2


def test_channels_last_stays() -> None:
    layer = make_layer(PROTOTXT % "kernel_size: 3", (2, 4, 5, 6)).float()
    x = random_bottoms((2, 4, 5, 6))[0].float().to(memory_format=torch.channels_last)

    assert layer(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("options", "field", "text"),
    [
        pytest.param(
            "kernel_size: 3 num_output: 6",
            "num_output",
            "num_output is 6, must be 3",
            id="num_output",
        ),
        pytest.param("kernel_size: 3 group: 1", "group", "group is 1, must be 3", id="group"),
        pytest.param("stride: 2", "kernel_size", "kernel_size is", id="kernel"),
    ],
)
def test_errors_name_the_layer_and_the_field(options: str, field: str, text: str) -> None:
    with pytest.raises(LayerError, match=f"'conv2_1/dw' .*{text}") as caught:
        make_layer(PROTOTXT % options, (2, 3, 4, 5))

    assert caught.value.field == f"convolution_param.{field}"


@pytest.mark.parametrize(
    ("bottom", "text"),
    [
        pytest.param((2, 4, 4, 5), "must have 4 axes with 3 channels", id="channels"),
        pytest.param((2, 3, 2, 5), "does not fit into a bottom", id="small"),
    ],
)
def test_impossible_bottoms(bottom: Shape, text: str) -> None:
    layer = make_layer(PROTOTXT % "kernel_size: 3", (2, 3, 4, 5))

    with pytest.raises(LayerError, match=f"'conv2_1/dw' .*{text}"):
        layer.top_shapes(bottom)
