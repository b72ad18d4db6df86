import math

import pytest
import torch

from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'type: "Swish" swish_param { beta: %s }'


@pytest.mark.parametrize("beta", [1, 1.5, 0, -0.5])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 7), (4,)], ids=str)
def test_conforms(beta: float, shape: tuple[int, ...]) -> None:
    check_layer(make_layer(PROTOTXT % beta, shape), random_bottoms(shape), tops=[shape])


@pytest.mark.parametrize(
    ("prototxt", "beta"),
    [
        pytest.param('type: "Swish"', 1, id="default"),
        pytest.param(PROTOTXT % 1.5, 1.5, id="1.5"),
        pytest.param(PROTOTXT % 0, 0, id="half of x"),
        pytest.param(PROTOTXT % -2, -2, id="negative"),
    ],
)
def test_value_is_x_times_its_sigmoid(prototxt: str, beta: float) -> None:
    values = [-3.0, -0.5, 0.0, 2.0]

    y = make_layer(prototxt, (4,))(torch.tensor(values, dtype=torch.double))

    expected = [v / (1 + math.exp(-beta * v)) for v in values]
    assert y.tolist() == pytest.approx(expected, rel=1e-12, abs=0)
