import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "tile" type: "Tile" tile_param { %s }'


@pytest.mark.parametrize(
    ("option", "top"),
    [
        pytest.param("tiles: 3", (2, 9, 4, 5), id="default axis"),
        pytest.param("tiles: 1", (2, 3, 4, 5), id="once"),
        pytest.param("tiles: 2 axis: 0", (4, 3, 4, 5), id="axis 0"),
        pytest.param("tiles: 2 axis: -1", (2, 3, 4, 10), id="last axis"),
    ],
)
def test_conforms(option: str, top: Shape) -> None:
    layer = make_layer(PROTOTXT % option, (2, 3, 4, 5))
    check_layer(layer, random_bottoms((2, 3, 4, 5)), tops=[top])


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last], ids=str)
def test_the_whole_comes_again_and_its_gradients_add_up(
    axis: int, memory: torch.memory_format
) -> None:
    x = random_bottoms((2, 3, 4, 5))[0].detach().contiguous(memory_format=memory).requires_grad_()
    y = make_layer(PROTOTXT % f"tiles: 3 axis: {axis}", (2, 3, 4, 5))(x)
    values, weights = x.detach().numpy(), random_bottoms(tuple(y.shape))[0].detach()
    expected, gradient = np.empty(y.shape), np.zeros(x.shape)
    for place in np.ndindex(*y.shape):
        of = list(place)
        of[axis] %= x.shape[axis]
        expected[place] = values[tuple(of)]
        gradient[tuple(of)] += float(weights[place])

    (y * weights).sum().backward()

    np.testing.assert_array_equal(y.detach(), expected)
    assert x.grad is not None
    np.testing.assert_allclose(x.grad, gradient, atol=1e-12)


@pytest.mark.parametrize(
    ("option", "field", "text"),
    [
        pytest.param("", "tiles", "tiles is missing, must be at least 1", id="no tiles"),
        pytest.param("tiles: 0", "tiles", "tiles is 0, must be at least 1", id="0"),
        pytest.param("tiles: -2", "tiles", "tiles is -2, must be at least 1", id="negative"),
        pytest.param("tiles: 2 axis: 2", "axis", "tile_param.axis is 2", id="no such axis"),
    ],
)
def test_errors_name_the_layer_and_the_field(option: str, field: str, text: str) -> None:
    with pytest.raises(LayerError, match=f"'tile' .*{text}") as caught:
        make_layer(PROTOTXT % option, (2, 3))

    assert caught.value.field == f"tile_param.{field}"


def test_the_bottom_may_change_while_it_has_the_axis() -> None:
    layer = make_layer(PROTOTXT % "tiles: 2 axis: 2", (2, 3, 4))

    assert layer.top_shapes((5, 1, 3, 2)) == [(5, 1, 6, 2)]
    with pytest.raises(LayerError, match=r"tile_param.axis is 2, but the bottom \(5, 6\)"):
        layer.top_shapes((5, 6))
