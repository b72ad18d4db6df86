import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from tests.layers.conformance import check_layer, make_layer, random_bottoms

LOSS = 'name: "loss" type: "L1Loss" top: "loss" '


def test_value_is_the_mean_distance_of_the_items() -> None:
    layer = make_layer(LOSS, (2, 3, 4), (2, 12))
    bottoms = random_bottoms((2, 3, 4), (2, 12))
    check_layer(layer, bottoms, tops=[()])

    expected = 0.0
    for x, y in zip(*(bottom.detach().flatten().tolist() for bottom in bottoms), strict=True):
        expected += abs(x - y) / 2

    np.testing.assert_allclose(layer(*bottoms).detach(), expected, rtol=1e-12)


def test_both_bottoms_get_gradients_but_not_where_they_are_equal() -> None:
    a = torch.tensor([[1.0, 5], [2, 2]], requires_grad=True)
    b = torch.tensor([[3.0, 4], [2, 0]], requires_grad=True)

    make_layer(LOSS, (2, 2), (2, 2))(a, b).backward()

    assert a.grad is not None
    assert b.grad is not None
    assert a.grad.tolist() == [[-0.5, 0.5], [0, 0.5]]
    assert b.grad.tolist() == [[0.5, -0.5], [0, -0.5]]


def test_bottoms_of_other_sizes_are_refused_when_built_and_when_run() -> None:
    text = r"layer 'loss' \(L1Loss\): Inputs must have the same dimension. .*\(2, 3\).*\(2, 4\)"
    with pytest.raises(LayerError, match=text):
        make_layer(LOSS, (2, 3), (2, 4))
    layer = make_layer(LOSS, (2, 3), (2, 3))
    with pytest.raises(LayerError, match=text):
        layer(torch.zeros(2, 3), torch.zeros(2, 4))
