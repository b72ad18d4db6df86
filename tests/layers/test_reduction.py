from collections.abc import Callable

import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "sum" type: "Reduction" reduction_param { %s }'


@pytest.mark.parametrize("operation", ["SUM", "ASUM", "SUMSQ", "MEAN"])
@pytest.mark.parametrize(
    ("option", "top"),
    [
        pytest.param("", (), id="default: all"),
        pytest.param("axis: 1", (2,), id="items"),
        pytest.param("axis: 2 coeff: -0.5", (2, 3), id="planes"),
        pytest.param("axis: -1", (2, 3, 4), id="last axis"),
    ],
)
def test_conforms(operation: str, option: str, top: Shape) -> None:
    layer = make_layer(PROTOTXT % f"operation: {operation} {option}", (2, 3, 4, 5))
    check_layer(layer, random_bottoms((2, 3, 4, 5)), tops=[top])


@pytest.mark.parametrize(
    ("operation", "total"),
    [
        pytest.param("", sum, id="default"),
        pytest.param("operation: SUM", sum, id="SUM"),
        pytest.param("operation: ASUM", lambda item: sum(abs(v) for v in item), id="ASUM"),
        pytest.param("operation: SUMSQ", lambda item: sum(v * v for v in item), id="SUMSQ"),
        pytest.param("operation: MEAN", lambda item: sum(item) / len(item), id="MEAN"),
    ],
)
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last], ids=str)
def test_value_is_over_all_axes_from_the_first(
    operation: str, total: Callable[[list[float]], float], axis: int, memory: torch.memory_format
) -> None:
    x = random_bottoms((2, 3, 4, 5))[0].detach().contiguous(memory_format=memory)
    layer = make_layer(PROTOTXT % f"{operation} axis: {axis} coeff: 2.5", (2, 3, 4, 5))
    outer = (2, 3, 4, 5)[:axis]
    expected = np.empty(outer)
    for place in np.ndindex(*outer):
        expected[place] = 2.5 * total(x[place].flatten().tolist())

    np.testing.assert_allclose(layer(x), expected, rtol=1e-12)


def test_the_gradient_of_an_absolute_value_at_0_is_0() -> None:
    x = torch.tensor([-2.0, 0.0, 3.0], dtype=torch.double, requires_grad=True)

    make_layer(PROTOTXT % "operation: ASUM coeff: 2", (3,))(x).backward()

    assert x.grad is not None
    assert x.grad.tolist() == [-2, 0, 2]


def test_the_axis_counts_from_the_end_of_whatever_comes() -> None:
    layer = make_layer(PROTOTXT % "axis: -1", (2, 3, 4))

    assert layer.top_shapes((5, 6)) == [(5,)]
    with pytest.raises(
        LayerError, match=r"reduction_param.axis is -1, but the bottom is a single number"
    ):
        layer.top_shapes(())


def test_an_axis_that_the_bottom_lacks_is_refused() -> None:
    with pytest.raises(LayerError, match=r"'sum' .*reduction_param.axis is 3") as caught:
        make_layer(PROTOTXT % "axis: 3", (2, 3, 4))

    assert caught.value.field == "reduction_param.axis"
