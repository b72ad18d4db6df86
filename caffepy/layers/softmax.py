"""Softmax: scores to probabilities."""

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.axis import axis_from_front
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("Softmax")
class Softmax(Layer):
    """The probability of each class: y = exp(x) / sum of exp(x) along `axis`.

    Bottom:  x, of any shape that has `axis`.
    Top:     y, of x's shape; sums to 1 along `axis`.
    Source:  caffe/src/caffe/layers/softmax_layer.cpp; every `engine` is taken and means the same.
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param)
        self.axis = axis_from_front(self, param.softmax_param.axis, bottom, "softmax_param.axis")

    def forward(self, x: Tensor) -> Tensor:
        return F.softmax(x, self.axis)
