import pytest
import torch

from tests.layers.conformance import check_layer, make_layer, random_bottoms


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 7), (4,)], ids=str)
def test_conforms(shape: tuple[int, ...]) -> None:
    check_layer(make_layer('type: "ReLU6"', shape), random_bottoms(shape), tops=[shape])


def test_both_ends_are_flat() -> None:
    x = torch.tensor([-2.0, 0.0, 3.0, 6.0, 8.0], dtype=torch.double, requires_grad=True)

    y = make_layer('type: "ReLU6"', (5,))(x)
    y.sum().backward()

    assert y.tolist() == [0, 0, 3, 6, 6]
    assert x.grad is not None
    assert x.grad.tolist() == [0, 0, 1, 0, 0]
