import pytest
import torch

from tests.layers.conformance import check_layer, make_layer, random_bottoms


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 7), (4,), ()], ids=str)
def test_conforms(shape: tuple[int, ...]) -> None:
    check_layer(make_layer('type: "AbsVal"', shape), random_bottoms(shape), tops=[shape])


def test_value_has_no_sign_and_zero_has_no_gradient() -> None:
    x = torch.tensor([-2.0, 0.0, 3.0], dtype=torch.double, requires_grad=True)

    y = make_layer('type: "AbsVal"', (3,))(x)
    y.sum().backward()

    assert y.tolist() == [2, 0, 3]
    assert x.grad is not None
    assert x.grad.tolist() == [-1, 0, 1]
