import math

import pytest
import torch

from caffepy.errors import LayerError
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "log" type: "Log" log_param { %s }'


@pytest.mark.parametrize("option", ["shift: 2.5", "base: 2 scale: -0.5 shift: 1.25"])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 7)], ids=str)
def test_conforms(option: str, shape: tuple[int, ...]) -> None:
    check_layer(make_layer(PROTOTXT % option, shape), random_bottoms(shape), tops=[shape])


@pytest.mark.parametrize(
    ("option", "base", "scale", "shift"),
    [
        pytest.param("", math.e, 1, 0, id="default"),
        pytest.param("base: -1 shift: 2", math.e, 1, 2, id="e, shifted"),
        pytest.param("base: 10 scale: 2", 10, 2, 0, id="10, scaled"),
        pytest.param("base: 0.25 scale: 3 shift: 1.5", 0.25, 3, 1.5, id="all"),
    ],
)
def test_value_is_the_logarithm_of_the_line(
    option: str, base: float, scale: float, shift: float
) -> None:
    values = [0.125, 0.5, 1.0, 20.0]

    y = make_layer(PROTOTXT % option, (4,))(torch.tensor(values, dtype=torch.double))

    expected = [math.log(shift + scale * v) / math.log(base) for v in values]
    assert y.tolist() == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_zero_and_below_are_as_in_c() -> None:
    y = make_layer(PROTOTXT % "", (2,))(torch.tensor([0.0, -1.0]))

    assert y[0] == -math.inf
    assert y[1].isnan()


@pytest.mark.parametrize("base", ["0", "-2", "inf", "nan", "1"])
def test_a_base_that_has_no_logarithms_is_refused(base: str) -> None:
    with pytest.raises(LayerError, match=f"'log' .*base is {base}") as caught:
        make_layer(PROTOTXT % f"base: {base}", (4,))

    assert caught.value.field == "log_param.base"
