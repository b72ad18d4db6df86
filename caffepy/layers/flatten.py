"""Flatten: several axes as one."""

import math

from torch import Tensor

from caffepy.layers.axis import axis_from_front
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("Flatten")
class Flatten(Layer):
    """The axes from `axis` to `end_axis`, both included, as one.

    Bottom:  x (*before, *inner, *after).
    Top:     y (*before, prod(inner), *after). Where `end_axis` is the axis before `axis`, inner is
             empty, and y has an axis of 1 there.
    Source:  caffe/src/caffe/layers/flatten_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        flatten = param.flatten_param
        self.start = axis_from_front(self, flatten.axis, bottom, "flatten_param.axis")
        self.end = axis_from_front(self, flatten.end_axis, bottom, "flatten_param.end_axis") + 1
        if self.start > self.end:
            raise self.error(
                f"flatten_param.end_axis is {flatten.end_axis}, which is in front of axis "
                f"{flatten.axis} of the bottom {bottom}",
                "flatten_param.end_axis",
            )

    def forward(self, x: Tensor) -> Tensor:
        inner = math.prod(x.shape[self.start : self.end])
        return x.reshape(*x.shape[: self.start], inner, *x.shape[self.end :])
