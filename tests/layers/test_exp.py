import math

import pytest
import torch

from caffepy.errors import LayerError
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "exp" type: "Exp" exp_param { %s }'


@pytest.mark.parametrize("option", ["", "base: 2 scale: -0.5 shift: 0.25", "base: 0.5", "scale: 0"])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 7)], ids=str)
def test_conforms(option: str, shape: tuple[int, ...]) -> None:
    check_layer(make_layer(PROTOTXT % option, shape), random_bottoms(shape), tops=[shape])


@pytest.mark.parametrize(
    ("option", "base", "scale", "shift"),
    [
        pytest.param("", math.e, 1, 0, id="default"),
        pytest.param("base: -1 shift: 2", math.e, 1, 2, id="e, shifted"),
        pytest.param("base: 2", 2, 1, 0, id="2"),
        pytest.param("base: 0.25 scale: -3 shift: 1.5", 0.25, -3, 1.5, id="all"),
        pytest.param("base: 1", 1, 1, 0, id="1"),
    ],
)
def test_value_is_the_base_to_the_power_of_the_line(
    option: str, base: float, scale: float, shift: float
) -> None:
    values = [-1.5, 0.0, 0.5, 2.0]

    y = make_layer(PROTOTXT % option, (4,))(torch.tensor(values, dtype=torch.double))

    assert y.tolist() == pytest.approx([base ** (shift + scale * v) for v in values], rel=1e-12)


def test_what_is_too_large_is_infinite() -> None:
    y = make_layer(PROTOTXT % "shift: 1e9", (2,))(torch.tensor([0.0, 1e9]))

    assert y.tolist() == [math.inf, math.inf]


@pytest.mark.parametrize("base", ["0", "-2", "inf", "nan"])
def test_a_base_that_has_no_powers_is_refused(base: str) -> None:
    with pytest.raises(LayerError, match=f"'exp' .*base is {base}, must be above 0") as caught:
        make_layer(PROTOTXT % f"base: {base}", (4,))

    assert caught.value.field == "exp_param.base"
