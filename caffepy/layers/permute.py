"""Permute: the axes in another order."""

from torch import Tensor

from caffepy.layers.axis import axis_from_front
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("Permute")
class Permute(Layer):
    """Axis i of the top is axis `order[i]` of the bottom; those not in `order` follow, sorted.

    Bottom:  x, of any shape.
    Top:     y, of x's sizes in the new order; a view of x.
    Source:  permute_layer.cpp of Caffe's SSD fork; Liu et al., "SSD: single shot multibox detector".
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        field = "permute_param.order"
        given = list(param.permute_param.order)
        for axis in given:
            axis_from_front(self, axis, bottom, field)
        if len(set(given)) < len(given):
            raise self.error(f"order is {given}, must have no axis twice", field)
        self.order = given + [axis for axis in range(len(bottom)) if axis not in given]

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != len(self.order):
            text = f"the bottom's shape is {tuple(x.shape)}, must have {len(self.order)} axes"
            raise self.error(text)
        return x.permute(self.order)
