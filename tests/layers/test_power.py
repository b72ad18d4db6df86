import math

import pytest
import torch

from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'type: "Power" power_param { %s }'


@pytest.mark.parametrize(
    "option",
    [
        "",
        "power: 2 scale: 0.5 shift: 1",
        "power: 3",
        "power: -1 scale: -2",
        "power: 0.5 shift: 2.5",
        "power: 0",
        "scale: 0 shift: 3 power: 2",
    ],
)
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 7)], ids=str)
def test_conforms(option: str, shape: tuple[int, ...]) -> None:
    check_layer(make_layer(PROTOTXT % option, shape), random_bottoms(shape), tops=[shape])


@pytest.mark.parametrize(
    ("option", "y"),
    [
        pytest.param("", [-2.0, 0.0, 0.5, 3.0], id="default"),
        pytest.param("scale: 2 shift: -1", [-5.0, -1.0, 0.0, 5.0], id="a line"),
        pytest.param("power: 2 shift: 1", [1.0, 1.0, 2.25, 16.0], id="square"),
        pytest.param("power: 3", [-8.0, 0.0, 0.125, 27.0], id="cube of a negative number"),
        pytest.param("power: 0.5", [math.nan, 0.0, math.sqrt(0.5), math.sqrt(3)], id="root"),
        pytest.param("power: -1", [-0.5, math.inf, 2.0, 1 / 3], id="inverse"),
    ],
)
def test_value_is_that_of_c(option: str, y: list[float]) -> None:
    x = torch.tensor([-2.0, 0.0, 0.5, 3.0], dtype=torch.double)

    assert make_layer(PROTOTXT % option, (4,))(x).tolist() == pytest.approx(y, nan_ok=True)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        pytest.param("power: 0", 1.0, id="power 0"),
        pytest.param("power: 0 scale: 0", 1.0, id="power 0 of 0"),
        pytest.param("scale: 0 shift: 3 power: 2", 9.0, id="scale 0"),
        pytest.param("scale: 0 shift: -2 power: 0.5", math.nan, id="no root"),
        pytest.param("scale: 0 power: -1", math.inf, id="1 / 0"),
    ],
)
def test_without_power_or_scale_the_input_does_not_matter(option: str, value: float) -> None:
    x = torch.tensor([-2.0, 0.0, math.inf, math.nan], dtype=torch.double, requires_grad=True)

    y = make_layer(PROTOTXT % option, (4,))(x)

    assert y.tolist() == pytest.approx([value] * 4, nan_ok=True)
    assert not y.requires_grad


@pytest.mark.parametrize(
    ("option", "slope"),
    [("power: 1", 1), ("power: 2", 0), ("power: 3", 0), ("power: 2 scale: 3 shift: 2", 12)],
)
def test_the_gradient_at_0_is_a_number(option: str, slope: float) -> None:
    x = torch.zeros(1, dtype=torch.double, requires_grad=True)

    make_layer(PROTOTXT % option, (1,))(x).sum().backward()

    assert x.grad is not None
    assert x.grad.item() == slope
