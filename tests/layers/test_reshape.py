import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "r" type: "Reshape" reshape_param { %s }'


def shape_of(*dims: int) -> str:
    return f"shape {{ {' '.join(f'dim: {dim}' for dim in dims)} }}"


@pytest.mark.parametrize(
    ("option", "top"),
    [
        pytest.param(shape_of(0, -1), (2, 60), id="copy and infer"),
        pytest.param(shape_of(6, 20), (6, 20), id="given"),
        pytest.param(shape_of(-1), (120,), id="all in one"),
        pytest.param(shape_of(0, 0, 2, -1), (2, 3, 2, 10), id="copies"),
        pytest.param(shape_of(5, 0, -1, 2, 1), (5, 3, 4, 2, 1), id="a copy stays in its place"),
        pytest.param(shape_of(15, 4) + "axis: 1", (2, 15, 4), id="from axis 1"),
        pytest.param(shape_of(-1, 2) + "axis: 1 num_axes: 2", (2, 6, 2, 5), id="two axes"),
        pytest.param(shape_of(4, 0) + "axis: 2", (2, 3, 4, 5), id="a copy from axis 2 on"),
        pytest.param(shape_of(2, 2) + "axis: -3 num_axes: 1", (2, 3, 2, 2, 5), id="axis from end"),
        pytest.param(shape_of(1, 1) + "axis: -1", (2, 3, 4, 5, 1, 1), id="axes behind the last"),
        pytest.param(shape_of(1) + "axis: 4", (2, 3, 4, 5, 1), id="one behind the last"),
        pytest.param(shape_of(1) + "num_axes: 0", (1, 2, 3, 4, 5), id="one before the first"),
        pytest.param(shape_of(-1) + "axis: 2 num_axes: 0", (2, 3, 1, 4, 5), id="inferred to be 1"),
        pytest.param(shape_of(1, -1) + "axis: -5", (1, 120), id="first axis from the end"),
    ],
)
def test_conforms(option: str, top: Shape) -> None:
    layer = make_layer(PROTOTXT % option, (2, 3, 4, 5))
    check_layer(layer, random_bottoms((2, 3, 4, 5)), tops=[top])


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last], ids=str)
def test_the_numbers_keep_their_order(memory: torch.memory_format) -> None:
    x = torch.arange(120.0).reshape(2, 3, 4, 5).contiguous(memory_format=memory)

    y = make_layer(PROTOTXT % shape_of(0, -1, 6), (2, 3, 4, 5))(x)

    assert y.flatten().tolist() == list(np.arange(120.0))


def test_one_number_may_lose_its_axes() -> None:
    assert make_layer('type: "Reshape"', (1, 1)).top_shapes((1, 1)) == [()]


def test_the_shape_follows_the_bottom() -> None:
    layer = make_layer(PROTOTXT % (shape_of(0, -1) + "axis: -3"), (2, 3, 4))

    assert layer.top_shapes((7, 5, 4, 3)) == [(7, 5, 4, 3)]
    assert layer.top_shapes((5, 6)) == [(5, 6)]
    with pytest.raises(LayerError, match=r"reshape_param.axis is -3, but the bottom \(5,\)"):
        layer.top_shapes((5,))


@pytest.mark.parametrize(
    ("option", "field", "text"),
    [
        pytest.param(
            shape_of(5, 5),
            "shape",
            r"output count must match input count: the bottom \(2, 3, 4\) has 24 numbers, "
            r"the top \(5, 5\) would have 25",
            id="another count",
        ),
        pytest.param(
            shape_of(5, -1) + "axis: 1",
            "shape",
            r"the bottom \(2, 3, 4\) has 24 numbers, the top \(2, 5, -1\) would have a multiple of "
            "10",
            id="nothing to infer",
        ),
        pytest.param("", "shape", r"the top \(\) would have 1", id="no shape"),
        pytest.param(shape_of(-1, -1), "shape", r"shape is \(-1, -1\)", id="two inferred"),
        pytest.param(shape_of(-2, 12), "shape", r"shape is \(-2, 12\)", id="a negative size"),
        pytest.param(
            shape_of(0, 0, 0, 0), "shape", r"a 0 in the place of an axis that", id="no axis to copy"
        ),
        pytest.param(shape_of(1) + "axis: 4", "axis", "axis is 4.*-4 to 3", id="axis"),
        pytest.param(shape_of(1) + "axis: -5", "axis", "axis is -5.*-4 to 3", id="negative axis"),
        pytest.param(
            shape_of(1) + "axis: 2 num_axes: 2",
            "num_axes",
            "num_axes is 2.*has 1 axes from axis 2 on: 0 to 1 are allowed, or -1",
            id="too many axes",
        ),
        pytest.param(
            shape_of(1) + "num_axes: -2", "num_axes", "num_axes is -2", id="negative num_axes"
        ),
    ],
)
def test_errors_name_the_layer_and_the_field(option: str, field: str, text: str) -> None:
    with pytest.raises(LayerError, match=f"'r' .*{text}") as caught:
        make_layer(PROTOTXT % option, (2, 3, 4))

    assert caught.value.field == f"reshape_param.{field}"


def test_a_size_of_an_empty_bottom_cannot_be_inferred() -> None:
    layer = make_layer(PROTOTXT % shape_of(0, -1), (2, 3, 4))

    with pytest.raises(LayerError, match=r"the top \(0, -1\) would have a multiple of 0"):
        layer.top_shapes((0, 3, 4))
