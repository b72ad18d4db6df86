import math

import pytest
import torch

from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'type: "ELU" elu_param { alpha: %s }'


@pytest.mark.parametrize("alpha", [1, 0.25, 0, -0.5])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 7), (4,)], ids=str)
def test_conforms(alpha: float, shape: tuple[int, ...]) -> None:
    check_layer(make_layer(PROTOTXT % alpha, shape), random_bottoms(shape), tops=[shape])


@pytest.mark.parametrize(
    ("prototxt", "alpha"),
    [
        pytest.param('type: "ELU"', 1, id="default"),
        pytest.param(PROTOTXT % 0.25, 0.25, id="0.25"),
        pytest.param(PROTOTXT % 0, 0, id="a rectifier"),
        pytest.param(PROTOTXT % -2, -2, id="negative"),
    ],
)
def test_the_exponential_holds_up_to_and_at_zero(prototxt: str, alpha: float) -> None:
    values = [-3.0, -0.5, 0.0, 2.0]
    x = torch.tensor(values, dtype=torch.double, requires_grad=True)

    y = make_layer(prototxt, (4,))(x)
    y.sum().backward()

    assert y.tolist() == pytest.approx(
        [v if v > 0 else alpha * (math.exp(v) - 1) for v in values], rel=1e-12, abs=0
    )
    assert x.grad is not None
    assert x.grad.tolist() == pytest.approx([1 if v > 0 else alpha * math.exp(v) for v in values])
