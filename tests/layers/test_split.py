import pytest
import torch

from tests.layers.conformance import check_layer, make_layer, random_bottoms


@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_top_is_the_bottom_itself(count: int) -> None:
    layer = make_layer('type: "Split"' + 'top: "part" ' * count, (2, 3, 4))
    (x,) = random_bottoms((2, 3, 4))
    check_layer(layer, [x], tops=[(2, 3, 4)] * count)

    tops = layer(x)

    assert [top is x for top in tops] == [True] * count


def test_the_gradients_of_the_tops_add_up() -> None:
    layer = make_layer('type: "Split" top: "a" top: "b"', (2, 3))
    (x,) = random_bottoms((2, 3))

    a, b = layer(x)
    (2 * a + 5 * b).sum().backward()

    assert x.grad is not None
    assert torch.equal(x.grad, torch.full((2, 3), 7.0).double())
