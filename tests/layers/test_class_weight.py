import math

import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.class_weight import class_weight_of, require_one_weight_a_class
from caffepy.layers.layer import Layer
from caffepy.proto import LayerParameter, LossParameter


def loss(*weights: float) -> Layer:
    loss_param = LossParameter(class_weight=weights)
    return Layer(LayerParameter(name="loss", type="SoftmaxWithLoss", loss_param=loss_param))


def test_weights_are_read_in_the_order_of_the_classes() -> None:
    weights = class_weight_of(loss(0.5, 0, 2))

    assert weights is not None
    assert weights.tolist() == [0.5, 0, 2]


def test_weights_need_not_be_given() -> None:
    assert class_weight_of(loss()) is None
    require_one_weight_a_class(loss(), None, 5)


@pytest.mark.parametrize("weight", [-0.5, math.nan, math.inf])
def test_a_weight_that_is_none_is_named(weight: float) -> None:
    with pytest.raises(LayerError) as caught:
        class_weight_of(loss(1, weight, 1))

    assert str(caught.value) == (
        f"layer 'loss' (SoftmaxWithLoss): class_weight of class 1 is {weight:g}; 0 or more is "
        "allowed"
    )
    assert caught.value.field == "loss_param.class_weight"


def test_one_weight_a_class_is_needed() -> None:
    require_one_weight_a_class(loss(), torch.ones(3), 3)

    with pytest.raises(LayerError) as caught:
        require_one_weight_a_class(loss(), torch.ones(3), 5)

    assert str(caught.value) == (
        "layer 'loss' (SoftmaxWithLoss): 3 class_weights are given for 5 classes; give one a "
        "class, or none"
    )
    assert caught.value.field == "loss_param.class_weight"
