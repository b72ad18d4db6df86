import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "bias" type: "Bias" bias_param { %s }'


@pytest.mark.parametrize(
    ("option", "shape"),
    [
        pytest.param("", (3,), id="default"),
        pytest.param("axis: 0", (2,), id="axis 0"),
        pytest.param("axis: -2 num_axes: 2", (4, 5), id="last axes"),
        pytest.param("num_axes: -1", (3, 4, 5), id="all axes that follow"),
        pytest.param("num_axes: 0", (), id="one number"),
    ],
)
def test_a_learned_bias_spans_some_axes(option: str, shape: Shape) -> None:
    layer = make_layer(PROTOTXT % (option + ' filler { type: "uniform" }'), (2, 3, 4, 5))
    (x,) = random_bottoms((2, 3, 4, 5))
    check_layer(layer, [x], tops=[(2, 3, 4, 5)], blobs=[shape])
    (bias,) = (blob.detach().numpy() for blob in layer.parameters())
    start = (2, 3, 4, 5).index(shape[0]) if shape else 0
    expected = np.empty((2, 3, 4, 5))
    for place in np.ndindex(2, 3, 4, 5):
        expected[place] = x[place].item() + bias[place[start : start + len(shape)]]

    np.testing.assert_allclose(layer(x).detach(), expected, rtol=1e-12)


def test_without_a_filler_it_changes_nothing() -> None:
    layer = make_layer(PROTOTXT % "", (2, 3, 4))

    assert [blob.tolist() for blob in layer.parameters()] == [[0, 0, 0]]


@pytest.mark.parametrize(
    ("option", "shape"),
    [
        pytest.param("", (3, 4), id="axis 1"),
        pytest.param("axis: 0", (2,), id="axis 0"),
        pytest.param("axis: 2 num_axes: 0", (4, 5), id="num_axes says nothing"),
    ],
)
def test_a_second_bottom_is_the_bias(option: str, shape: Shape) -> None:
    layer = make_layer(PROTOTXT % option, (2, 3, 4, 5), shape)
    x, bias = random_bottoms((2, 3, 4, 5), shape)
    check_layer(layer, [x, bias], tops=[(2, 3, 4, 5)])
    start = (2, 3, 4, 5).index(shape[0])

    y = layer(x, bias)

    for place in np.ndindex(2, 3, 4, 5):
        assert y[place] == x[place] + bias[place[start : start + len(shape)]]


@pytest.mark.parametrize(
    ("option", "field"),
    [
        pytest.param("axis: 3", "axis", id="axis"),
        pytest.param("num_axes: 3", "num_axes", id="num_axes"),
        pytest.param("filler { type: 'x' }", "filler.type", id="filler"),
    ],
)
def test_errors_name_the_field(option: str, field: str) -> None:
    with pytest.raises(LayerError, match="'bias'") as caught:
        make_layer(PROTOTXT % option, (2, 3, 4))

    assert caught.value.field == f"bias_param.{field}"


def test_another_batch_must_fit_the_blob() -> None:
    layer = make_layer(PROTOTXT % "", (2, 3, 4))

    assert layer(torch.zeros(7, 3, 2)).shape == (7, 3, 2)
    with pytest.raises(LayerError, match=r"'bias'.*shape \(3,\), laid on from axis 1"):
        layer(torch.zeros(2, 6, 4))
