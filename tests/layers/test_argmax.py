import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "best" type: "ArgMax" argmax_param { %s }'


def with_ties(shape: Shape) -> torch.Tensor:
    """Whole numbers from -2 to 2, most of them several times on every axis."""
    return (random_bottoms(shape)[0].detach() * 1.2).round()


def best(line: NDArray[np.float64], count: int) -> list[tuple[float, int]]:
    """Caffe's rule: pairs of value and index, the largest pair first."""
    return sorted(((value, i) for i, value in enumerate(line)), reverse=True)[:count]


@pytest.mark.parametrize(
    ("option", "shape", "top"),
    [
        pytest.param("", (2, 3, 4, 5), (2, 1, 1, 1), id="default"),
        pytest.param("", (4,), (4, 1, 1), id="items of one number"),
        pytest.param("top_k: 3", (2, 7), (2, 1, 3), id="scores"),
        pytest.param("top_k: 2", (2, 3, 2, 2), (2, 1, 2, 1), id="images"),
        pytest.param("top_k: 2", (2, 3, 2, 2, 3), (2, 1, 2, 1, 1), id="5 axes"),
        pytest.param("axis: 1", (2, 3, 4, 5), (2, 1, 4, 5), id="axis 1"),
        pytest.param("axis: -1 top_k: 2", (2, 3, 4, 5), (2, 3, 4, 2), id="last axis"),
    ],
)
def test_conforms(option: str, shape: Shape, top: Shape) -> None:
    check_layer(make_layer(PROTOTXT % option, shape), random_bottoms(shape), tops=[top])


@pytest.mark.parametrize(
    ("option", "shape", "top"),
    [
        pytest.param("top_k: 3", (2, 7), (2, 2, 3), id="scores"),
        pytest.param("top_k: 2", (2, 3, 2, 2), (2, 2, 2, 1), id="images"),
        pytest.param("top_k: 2", (2, 3, 2, 2, 3), (2, 2, 2, 1, 1), id="5 axes"),
        pytest.param("axis: 0", (2, 3), (1, 3), id="axis 0"),
    ],
)
def test_values_come_behind_the_indices_or_along_an_axis_instead(
    option: str, shape: Shape, top: Shape
) -> None:
    layer = make_layer(PROTOTXT % f"{option} out_max_val: true", shape)

    assert layer.top_shapes(shape) == [top]
    assert layer(*random_bottoms(shape)).shape == top


@pytest.mark.parametrize("top_k", [1, 2, 4])
@pytest.mark.parametrize("values", [False, True], ids=["indices", "values"])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last], ids=str)
def test_along_an_axis_the_last_of_equal_numbers_comes_first(
    top_k: int, values: bool, memory: torch.memory_format
) -> None:
    x = with_ties((2, 3, 4, 5)).contiguous(memory_format=memory)
    option = f"axis: 2 top_k: {top_k} out_max_val: {values}".lower()
    expected = np.empty((2, 3, top_k, 5))
    for n, c, w in np.ndindex(2, 3, 5):
        for rank, pair in enumerate(best(x[n, c, :, w].numpy(), top_k)):
            expected[n, c, rank, w] = pair[0 if values else 1]

    y = make_layer(PROTOTXT % option, (2, 3, 4, 5))(x)

    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("top_k", [1, 3, 12])
def test_over_an_item_the_last_of_equal_numbers_comes_first(top_k: int) -> None:
    x = with_ties((5, 3, 4))
    expected = np.empty((5, 2, top_k))
    for n in range(5):
        for rank, (value, index) in enumerate(best(x[n].flatten().numpy(), top_k)):
            expected[n, :, rank] = index, value

    with_values = make_layer(PROTOTXT % f"top_k: {top_k} out_max_val: true", (5, 3, 4))(x)
    indices = make_layer(PROTOTXT % f"top_k: {top_k}", (5, 3, 4))(x)

    np.testing.assert_array_equal(with_values, expected)
    np.testing.assert_array_equal(indices, expected[:, :1])


@pytest.mark.parametrize("option", ["", "axis: 1", "axis: 1 out_max_val: true"])
def test_nothing_has_a_gradient(option: str) -> None:
    assert not make_layer(PROTOTXT % option, (2, 3))(*random_bottoms((2, 3))).requires_grad


@pytest.mark.parametrize(
    ("option", "shape", "field", "text"),
    [
        pytest.param("top_k: 0", (2, 3), "top_k", "top_k is 0.* 3 numbers in an item", id="0"),
        pytest.param("top_k: 13", (2, 3, 4), "top_k", "13.*12 numbers in an item", id="too many"),
        pytest.param("top_k: 4 axis: -2", (2, 3, 4), "top_k", "3 numbers along axis 1", id="axis"),
        pytest.param("axis: 2", (2, 3), "axis", "axis is 2, but the bottom", id="no such axis"),
    ],
)
def test_errors_name_the_layer_and_the_field(
    option: str, shape: Shape, field: str, text: str
) -> None:
    with pytest.raises(LayerError, match=f"'best' .*{text}") as caught:
        make_layer(PROTOTXT % option, shape)

    assert caught.value.field == f"argmax_param.{field}"


def test_a_bottom_without_items_is_refused() -> None:
    with pytest.raises(LayerError, match=r"'best' .*must have an axis"):
        make_layer(PROTOTXT % "", ())


def test_the_bottom_may_change_while_top_k_fits() -> None:
    layer = make_layer(PROTOTXT % "top_k: 5", (2, 7))

    assert layer.top_shapes((3, 2, 3)) == [(3, 1, 5)]
    with pytest.raises(LayerError, match=r"top_k is 5.*4 numbers"):
        layer.top_shapes((2, 4))
