"""Exp: a base to the power of the input."""

from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.layers.line import line
from caffepy.layers.log import log_of
from caffepy.proto import LayerParameter


@register("Exp")
class Exp(Layer):
    """y = base^(shift + scale x); a base of -1, the default, is e.

    Bottom:  x, of any shape.
    Top:     y, of the same shape.
    Source:  caffe/src/caffe/layers/exp_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        exp = param.exp_param
        log_base = log_of(self, exp.base, "exp_param.base")
        self.scale, self.shift = log_base * exp.scale, log_base * exp.shift

    def forward(self, x: Tensor) -> Tensor:
        return line(x, self.scale, self.shift).exp()
