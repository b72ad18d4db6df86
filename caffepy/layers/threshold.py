"""Threshold: which numbers lie above a bound."""

from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("Threshold")
class Threshold(Layer):
    """y = 1 where x > threshold, else 0. The bottom gets no gradient.

    Bottom:  x, of any shape.
    Top:     y, of the same shape.
    Source:  caffe/src/caffe/layers/threshold_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        self.threshold = param.threshold_param.threshold

    def forward(self, x: Tensor) -> Tensor:
        return (x > self.threshold).to(x.dtype)
