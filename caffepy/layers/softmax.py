"""Softmax: scores to probabilities."""

import torch
from torch import Tensor

from caffepy.layers.axis import axis_from_front
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter

VECTOR = 16  # classes that a CPU computes at once, of neighbours in memory


def softmax(x: Tensor, axis: int, dtype: torch.dtype | None = None) -> Tensor:
    """exp(x) / sum of exp(x) along an axis, in x's shape; of a `dtype`, or x's.

    Of images with their channels last in memory torch would compute it plane by plane, on a copy.
    """
    last = x.dim() - 1
    if axis == last or x.stride(axis) > 1 or x.shape[axis] < VECTOR:
        return x.softmax(axis, dtype=dtype)
    return x.movedim(axis, -1).softmax(-1, dtype=dtype).movedim(-1, axis)


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
        return softmax(x, self.axis)
