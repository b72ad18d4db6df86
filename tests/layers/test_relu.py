import pytest
import torch

from tests.layers.conformance import check_layer, make_layer, random_bottoms

LEAKY = 'type: "ReLU" relu_param { negative_slope: 0.25 }'
PLAIN = 'type: "ReLU"'


@pytest.mark.parametrize("prototxt", [PLAIN, LEAKY], ids=["plain", "leaky"])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 7), (4,)], ids=str)
def test_conforms(prototxt: str, shape: tuple[int, ...]) -> None:
    check_layer(make_layer(prototxt, shape), random_bottoms(shape), tops=[shape])


@pytest.mark.parametrize(
    ("prototxt", "y", "slopes"),
    [
        pytest.param(PLAIN, [0.0, 0.0, 3.0], [0.0, 0.0, 1.0], id="plain"),
        pytest.param(LEAKY, [-0.5, 0.0, 3.0], [0.25, 0.25, 1.0], id="leaky"),
        pytest.param(
            'type: "ReLU" relu_param { negative_slope: -2 engine: CUDNN }',
            [4.0, 0.0, 3.0],
            [-2.0, -2.0, 1.0],
            id="negative slope below 0",
        ),
    ],
)
def test_the_slope_holds_up_to_and_at_zero(
    prototxt: str, y: list[float], slopes: list[float]
) -> None:
    x = torch.tensor([-2.0, 0.0, 3.0], dtype=torch.double, requires_grad=True)

    top = make_layer(prototxt, (3,))(x)
    top.sum().backward()

    assert top.tolist() == y
    assert x.grad is not None
    assert x.grad.tolist() == slopes


@pytest.mark.parametrize("prototxt", [PLAIN, LEAKY], ids=["plain", "leaky"])
def test_nan_stays_nan(prototxt: str) -> None:
    y = make_layer(prototxt, (2,))(torch.tensor([float("nan"), 1.0], dtype=torch.double))

    assert y.isnan().tolist() == [True, False]
