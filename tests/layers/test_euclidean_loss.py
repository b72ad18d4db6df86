import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

LOSS = 'name: "loss" type: "EuclideanLoss" top: "loss" '


@pytest.mark.parametrize(
    ("a", "b"),
    [
        pytest.param((2, 3, 4, 5), (2, 3, 4, 5), id="images"),
        pytest.param((3, 8), (3, 4, 2), id="other shapes of items"),
        pytest.param((4,), (4, 1), id="one number an item"),
    ],
)
def test_value_is_half_the_squared_distance_a_item(a: Shape, b: Shape) -> None:
    layer = make_layer(LOSS, a, b)
    bottoms = random_bottoms(a, b)
    check_layer(layer, bottoms, tops=[()])

    expected = 0.0
    for x, y in zip(*(bottom.detach().flatten().tolist() for bottom in bottoms), strict=True):
        expected += (x - y) ** 2 / (2 * a[0])

    np.testing.assert_allclose(layer(*bottoms).detach(), expected, rtol=1e-12)


def test_both_bottoms_get_gradients() -> None:
    a = torch.tensor([[1.0, 5], [2, 2]], requires_grad=True)
    b = torch.tensor([[3.0, 4], [2, 0]], requires_grad=True)

    (3 * make_layer(LOSS, (2, 2), (2, 2))(a, b)).backward()

    assert a.grad is not None
    assert b.grad is not None
    assert a.grad.tolist() == [[-3, 1.5], [0, 3]]
    assert b.grad.tolist() == [[3, -1.5], [0, -3]]


def test_images_whose_channels_are_last_in_memory_are_the_same() -> None:
    layer = make_layer(LOSS, (2, 3, 4, 5), (2, 60))
    a, b = random_bottoms((2, 3, 4, 5), (2, 60))

    assert torch.isclose(layer(a.to(memory_format=torch.channels_last), b), layer(a, b))


def test_bottoms_of_other_sizes_are_refused_when_built_and_when_run() -> None:
    text = (
        r"layer 'loss' \(EuclideanLoss\): Inputs must have the same dimension. "
        r"Bottom 0 of shape \(2, 3\) has 3 numbers an item, bottom 1 of shape \(2, 4\) has 4"
    )
    with pytest.raises(LayerError, match=text):
        make_layer(LOSS, (2, 3), (2, 4))
    layer = make_layer(LOSS, (2, 3), (2, 3))
    with pytest.raises(LayerError, match=text):
        layer(torch.zeros(2, 3), torch.zeros(2, 4))


def test_other_numbers_of_items_are_refused() -> None:
    with pytest.raises(LayerError, match=r"\(2, 6\) and .* \(3, 4\) differ in their first axis"):
        make_layer(LOSS, (2, 6), (3, 4))


@pytest.mark.slow
def test_compiles_to_one_graph() -> None:
    layer = make_layer(LOSS, (2, 3), (2, 3))
    bottoms = random_bottoms((2, 3), (2, 3))

    loss = torch.compile(layer, backend="aot_eager", fullgraph=True)(*bottoms)

    assert torch.isclose(loss, layer(*bottoms))
