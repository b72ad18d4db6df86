import math

import pytest
import torch

from tests.layers.conformance import check_layer, make_layer, random_bottoms


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 7), (4,)], ids=str)
def test_conforms(shape: tuple[int, ...]) -> None:
    check_layer(make_layer('type: "TanH"', shape), random_bottoms(shape), tops=[shape])


def test_value_is_the_hyperbolic_tangent() -> None:
    values = [-3.0, -0.5, 0.0, 2.0]
    layer = make_layer('type: "TanH" tanh_param { engine: CAFFE }', (4,))

    y = layer(torch.tensor(values, dtype=torch.double))

    expected = [(math.exp(2 * v) - 1) / (math.exp(2 * v) + 1) for v in values]
    assert y.tolist() == pytest.approx(expected)
