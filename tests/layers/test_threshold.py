import math

import pytest
import torch

from tests.layers.conformance import check_layer, make_layer, random_bottoms


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 7), (4,)], ids=str)
def test_conforms(shape: tuple[int, ...]) -> None:
    check_layer(make_layer('type: "Threshold"', shape), random_bottoms(shape), tops=[shape])


@pytest.mark.parametrize(
    ("option", "y"),
    [
        pytest.param("", [0, 0, 1, 1, 0], id="default"),
        pytest.param("threshold_param { threshold: 1 }", [0, 0, 0, 1, 0], id="1"),
        pytest.param("threshold_param { threshold: -2.5 }", [1, 1, 1, 1, 0], id="-2.5"),
    ],
)
def test_only_what_is_above_counts_and_nothing_has_a_gradient(option: str, y: list[int]) -> None:
    x = torch.tensor([-2.0, 0.0, 1.0, 3.0, math.nan], dtype=torch.double, requires_grad=True)

    top = make_layer(f'type: "Threshold" {option}', (5,))(x)

    assert top.tolist() == y
    assert top.dtype == torch.double
    assert not top.requires_grad
