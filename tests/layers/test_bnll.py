import math

import pytest
import torch

from tests.layers.conformance import check_layer, make_layer, random_bottoms


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 7), (4,)], ids=str)
def test_conforms(shape: tuple[int, ...]) -> None:
    check_layer(make_layer('type: "BNLL"', shape), random_bottoms(shape), tops=[shape])


def test_value_is_log_1_plus_exp_and_the_gradient_that_of_at_most_50() -> None:
    values = [-800.0, -30.0, -1.0, 0.0, 2.0, 25.0, 49.0, 51.0, 800.0]
    x = torch.tensor(values, dtype=torch.double, requires_grad=True)

    y = make_layer('type: "BNLL"', (9,))(x)
    y.sum().backward()

    expected = [v + math.log1p(math.exp(-v)) if v > 0 else math.log1p(math.exp(v)) for v in values]
    slopes = [math.exp(min(v, 50)) / (1 + math.exp(min(v, 50))) for v in values]
    assert y.tolist() == pytest.approx(expected, rel=1e-12, abs=0)
    assert x.grad is not None
    assert x.grad.tolist() == pytest.approx(slopes, rel=1e-12, abs=0)
