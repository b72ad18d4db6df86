"""AbsVal: the absolute value."""

from torch import Tensor

from caffepy.layers.layer import Layer, register


@register("AbsVal")
class AbsVal(Layer):
    """y = |x|; the gradient at 0 is 0.

    Bottom:  x, of any shape.
    Top:     y, of the same shape.
    Source:  caffe/src/caffe/layers/absval_layer.cpp
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.abs()
