import pytest
import torch

from caffepy.errors import LayerError
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "again" type: "BatchReindex"'


def test_conforms() -> None:
    layer = make_layer(PROTOTXT, (4, 3, 5), (6,))
    (x,) = random_bottoms((4, 3, 5))

    check_layer(layer, [x, torch.tensor([3.0, 0, 0, 2, 3, 3])], tops=[(6, 3, 5)])


def test_items_are_copied_and_their_gradients_added_up() -> None:
    layer = make_layer(PROTOTXT, (4, 3), (5,))
    (x,) = random_bottoms((4, 3))
    index = torch.tensor([3.0, 0, 0, 2.9, 3]).requires_grad_()

    y = layer(x, index)
    y.backward(torch.tensor([[1.0], [2], [3], [4], [5]]).double().expand(5, 3))

    assert torch.equal(y, x[[3, 0, 0, 2, 3]])
    assert x.grad is not None
    assert x.grad[:, 0].tolist() == [2 + 3, 0, 4, 1 + 5]
    assert index.grad is None


@pytest.mark.parametrize("wrong", [-1, 4, -0.5])
def test_an_index_of_no_item_is_refused(wrong: float) -> None:
    layer = make_layer(PROTOTXT, (4, 3), (2,))

    with pytest.raises(LayerError, match=r"'again' .*\(1,\) is .*allowed are 0 to 3, the items"):
        layer.check(torch.zeros(4, 3), torch.tensor([0, wrong]))


def test_no_index_gives_no_items() -> None:
    layer = make_layer(PROTOTXT, (4, 3), (0,))

    layer.check(torch.zeros(4, 3), torch.zeros(0))
    assert layer.top_shapes((4, 3), (0,)) == [(0, 3)]


def test_the_index_has_one_axis_and_the_bottom_one_of_items() -> None:
    with pytest.raises(LayerError, match=r"'again' .*one axis, its shape is \(2, 1\)"):
        make_layer(PROTOTXT, (4, 3), (2,)).top_shapes((4, 3), (2, 1))
    with pytest.raises(LayerError, match=r"'again' .*has no axes"):
        make_layer(PROTOTXT, (), (2,))
