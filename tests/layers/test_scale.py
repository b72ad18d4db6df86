import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "scale" type: "Scale" scale_param { %s }'


@pytest.mark.parametrize(
    ("option", "shape"),
    [
        pytest.param("", (3,), id="default"),
        pytest.param("axis: 0", (2,), id="axis 0"),
        pytest.param("axis: -1", (5,), id="last axis"),
        pytest.param("num_axes: 2", (3, 4), id="2 axes"),
        pytest.param("num_axes: -1", (3, 4, 5), id="all axes that follow"),
        pytest.param("axis: 0 num_axes: -1", (2, 3, 4, 5), id="all axes"),
        pytest.param("num_axes: 0", (), id="one number"),
    ],
)
def test_a_learned_scale_and_bias_span_some_axes(option: str, shape: Shape) -> None:
    fillers = 'bias_term: true filler { type: "uniform" } bias_filler { type: "uniform" }'
    layer = make_layer(PROTOTXT % f"{option} {fillers}", (2, 3, 4, 5))
    (x,) = random_bottoms((2, 3, 4, 5))
    check_layer(layer, [x], tops=[(2, 3, 4, 5)], blobs=[shape, shape])
    scale, bias = (blob.detach().numpy() for blob in layer.parameters())
    start = (2, 3, 4, 5).index(shape[0]) if shape else 0
    expected = np.empty((2, 3, 4, 5))
    for place in np.ndindex(2, 3, 4, 5):
        own = place[start : start + len(shape)]
        expected[place] = x[place].item() * scale[own] + bias[own]

    np.testing.assert_allclose(layer(x).detach(), expected, rtol=1e-12)


def test_without_fillers_it_changes_nothing() -> None:
    layer = make_layer(PROTOTXT % "bias_term: true", (2, 3, 4))
    (x,) = random_bottoms((2, 3, 4))

    assert [blob.tolist() for blob in layer.parameters()] == [[1, 1, 1], [0, 0, 0]]
    assert torch.equal(layer(x), x)


def test_without_bias_term_there_is_one_blob() -> None:
    layer = make_layer(PROTOTXT % "filler { value: 2 }", (2, 3))

    assert [blob.tolist() for blob in layer.parameters()] == [[2, 2, 2]]
    assert layer(torch.tensor([[1, 2, 3], [4, 5, 6]])).tolist() == [[2, 4, 6], [8, 10, 12]]


@pytest.mark.parametrize(
    ("option", "shape", "pattern"),
    [
        pytest.param("", (3, 4), "nchw,ch->nchw", id="axis 1"),
        pytest.param("axis: 0", (2, 3), "nchw,nc->nchw", id="axis 0"),
        pytest.param("axis: 0 num_axes: 3", (2,), "nchw,n->nchw", id="num_axes says nothing"),
        pytest.param("axis: 7", (), "nchw,->nchw", id="one number, whatever the axis"),
    ],
)
def test_a_second_bottom_is_the_scale(option: str, shape: Shape, pattern: str) -> None:
    layer = make_layer(PROTOTXT % option, (2, 3, 4, 5), shape)
    x, scale = random_bottoms((2, 3, 4, 5), shape)
    check_layer(layer, [x, scale], tops=[(2, 3, 4, 5)])

    torch.testing.assert_close(layer(x, scale), torch.einsum(pattern, x, scale))


def test_a_second_bottom_may_come_with_a_learned_bias_of_its_shape() -> None:
    option = 'axis: 0 bias_term: true bias_filler { type: "uniform" }'
    layer = make_layer(PROTOTXT % option, (2, 3, 4), (2, 3))
    x, scale = random_bottoms((2, 3, 4), (2, 3))
    check_layer(layer, [x, scale], tops=[(2, 3, 4)], blobs=[(2, 3)])
    (bias,) = layer.parameters()

    expected = x * scale.unsqueeze(2) + bias.unsqueeze(2)
    torch.testing.assert_close(layer(x, scale), expected)


def test_images_keep_their_channels_last() -> None:
    layer = make_layer(PROTOTXT % "bias_term: true", (2, 3, 4, 5))
    (x,) = random_bottoms((2, 3, 4, 5))

    y = layer(x.contiguous(memory_format=torch.channels_last))

    assert y.is_contiguous(memory_format=torch.channels_last)


def test_another_batch_must_fit_the_blobs() -> None:
    layer = make_layer(PROTOTXT % "", (2, 3, 4, 5))

    assert layer.top_shapes((7, 3, 1, 2)) == [(7, 3, 1, 2)]
    with pytest.raises(LayerError, match=r"'scale'.*shape \(3,\), laid on from axis 1"):
        layer.top_shapes((2, 6, 4, 5))


@pytest.mark.parametrize(
    ("option", "bottoms", "field"),
    [
        pytest.param("axis: 2", [(2, 3)], "axis", id="axis"),
        pytest.param("num_axes: 2", [(2, 3)], "num_axes", id="num_axes"),
        pytest.param("filler { type: 'x' }", [(2, 3)], "filler.type", id="filler"),
        pytest.param(
            "bias_term: true bias_filler { type: 'x' }",
            [(2, 3)],
            "bias_filler.type",
            id="bias_filler",
        ),
    ],
)
def test_errors_name_the_field(option: str, bottoms: list[Shape], field: str) -> None:
    with pytest.raises(LayerError, match="'scale'") as caught:
        make_layer(PROTOTXT % option, *bottoms)

    assert caught.value.field == f"scale_param.{field}"


def test_a_second_bottom_of_another_size_is_refused() -> None:
    layer = make_layer(PROTOTXT % "", (2, 3, 4), (4,))

    with pytest.raises(LayerError, match=r"shape \(4,\), laid on from axis 1.* must be \(3,\)"):
        layer.top_shapes((2, 3, 4), (4,))
