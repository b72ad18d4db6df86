"""Swish: the input times its sigmoid."""

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("Swish")
class Swish(Layer):
    """y = x / (1 + exp(-beta x)).

    Bottom:  x, of any shape.
    Top:     y, of the same shape.
    Source:  caffe/src/caffe/layers/swish_layer.cpp; Ramachandran et al., "Searching for activation
             functions".
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        self.beta = param.swish_param.beta

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x) if self.beta == 1 else x * (x * self.beta).sigmoid()
