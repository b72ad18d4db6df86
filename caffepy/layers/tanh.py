"""TanH: the hyperbolic tangent."""

from torch import Tensor

from caffepy.layers.layer import Layer, register


@register("TanH")
class TanH(Layer):
    """y = tanh(x).

    Bottom:  x, of any shape.
    Top:     y, of the same shape.
    Source:  caffe/src/caffe/layers/tanh_layer.cpp
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.tanh()
