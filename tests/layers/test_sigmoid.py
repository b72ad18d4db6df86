import math

import pytest
import torch

from tests.layers.conformance import check_layer, make_layer, random_bottoms


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 7), (4,)], ids=str)
def test_conforms(shape: tuple[int, ...]) -> None:
    check_layer(make_layer('type: "Sigmoid"', shape), random_bottoms(shape), tops=[shape])


def test_value_is_the_logistic_function() -> None:
    values = [-3.0, -0.5, 0.0, 2.0]
    layer = make_layer('type: "Sigmoid" sigmoid_param { engine: CAFFE }', (4,))

    y = layer(torch.tensor(values, dtype=torch.double))

    assert y.tolist() == pytest.approx([1 / (1 + math.exp(-v)) for v in values], rel=1e-12)


def test_large_numbers_do_not_overflow() -> None:
    assert make_layer('type: "Sigmoid"', (2,))(torch.tensor([-1e4, 1e4])).tolist() == [0, 1]
