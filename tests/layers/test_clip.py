import math

import pytest
import torch

from caffepy.errors import LayerError
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "clip" type: "Clip" clip_param { %s }'


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 7), (4,)], ids=str)
def test_conforms(shape: tuple[int, ...]) -> None:
    layer = make_layer(PROTOTXT % "min: -0.5 max: 0.75", shape)
    check_layer(layer, random_bottoms(shape), tops=[shape])


@pytest.mark.parametrize(
    ("option", "y", "slopes"),
    [
        pytest.param("min: -1 max: 2", [-1, -1, 0, 2, 2], [0, 1, 1, 1, 0], id="range"),
        pytest.param("min: 0 max: 0", [0, 0, 0, 0, 0], [0, 0, 1, 0, 0], id="one number"),
        pytest.param("min: -inf max: 0", [-3, -1, 0, 0, 0], [1, 1, 1, 0, 0], id="half open"),
    ],
)
def test_the_bounds_belong_to_the_range(option: str, y: list[float], slopes: list[float]) -> None:
    x = torch.tensor([-3.0, -1.0, 0.0, 2.0, 5.0], dtype=torch.double, requires_grad=True)

    top = make_layer(PROTOTXT % option, (5,))(x)
    top.sum().backward()

    assert top.tolist() == y
    assert x.grad is not None
    assert x.grad.tolist() == slopes


def test_nan_stays_nan() -> None:
    y = make_layer(PROTOTXT % "min: -1 max: 2", (1,))(torch.tensor([math.nan]))

    assert y.isnan().all()


@pytest.mark.parametrize(
    ("option", "field", "text"),
    [
        pytest.param("min: 2 max: 1", "clip_param.min", "min is 2, .*max, which is 1", id="order"),
        pytest.param("min: nan max: 1", "clip_param.min", "min is nan", id="nan"),
        pytest.param("min: 2", "clip_param", "min or max is missing", id="no max"),
        pytest.param("max: 2", "clip_param", "min or max is missing", id="no min"),
    ],
)
def test_errors_name_the_layer_and_the_field(option: str, field: str, text: str) -> None:
    with pytest.raises(LayerError, match=f"'clip' .*{text}") as caught:
        make_layer(PROTOTXT % option, (5,))

    assert caught.value.field == field
