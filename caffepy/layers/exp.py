"""Exp: a base to the power of the input."""

import torch
from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.layers.log import log_of
from caffepy.proto import LayerParameter


@register("Exp")
class Exp(Layer):
    """y = base^(shift + scale x); a base of -1, the default, is e.

    Computed as base^shift exp(log(base) scale x), which overflows where the second factor does.

    Bottom:  x, of any shape.
    Top:     y, of the same shape.
    Source:  caffe/src/caffe/layers/exp_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        exp = param.exp_param
        log_base = log_of(self, exp.base, "exp_param.base")
        self.inner = log_base * exp.scale
        self.outer = torch.tensor(log_base * exp.shift, dtype=torch.double).exp().item()

    def forward(self, x: Tensor) -> Tensor:
        y = (x if self.inner == 1 else x * self.inner).exp()
        return y if self.outer == 1 else y * self.outer
