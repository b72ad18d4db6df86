"""Sigmoid: the logistic function."""

from torch import Tensor

from caffepy.layers.layer import Layer, register


@register("Sigmoid")
class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x)).

    Bottom:  x, of any shape.
    Top:     y, of the same shape.
    Source:  caffe/src/caffe/layers/sigmoid_layer.cpp; every `engine` is taken and means the same.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.sigmoid()
