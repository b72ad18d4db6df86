import pytest
import torch

from caffepy.errors import LayerError
from tests.layers.conformance import check_layer, make_layer

PROTOTXT = 'name: "offset" type: "Parameter" top: "y" parameter_param { %s }'


def test_conforms() -> None:
    layer = make_layer(PROTOTXT % "shape { dim: 2 dim: 3 dim: 4 }")

    check_layer(layer, [], tops=[(2, 3, 4)], blobs=[(2, 3, 4)])


def test_the_top_is_the_blob_which_starts_at_zero() -> None:
    layer = make_layer(PROTOTXT % "shape { dim: 2 dim: 3 }")
    (blob,) = layer.parameters()
    assert not blob.any()

    blob.data.fill_(7)
    y = layer()
    y.backward(torch.tensor([[1, 2, 3], [4, 5, 6]]).double())

    assert (y == 7).all()
    assert blob.grad is not None
    assert blob.grad.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_without_a_shape_it_is_one_number() -> None:
    assert make_layer(PROTOTXT % "").top_shapes() == [()]


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(LayerError, match=r"'offset' .*shape \(2, -3\) has a negative") as caught:
        make_layer(PROTOTXT % "shape { dim: 2 dim: -3 }")

    assert caught.value.field == "parameter_param.shape"
