"""ELU: the exponential linear unit."""

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("ELU")
class ELU(Layer):
    """y = x where x > 0, else alpha (exp(x) - 1); the gradient at 0 is alpha.

    Bottom:  x, of any shape.
    Top:     y, of the same shape.
    Source:  caffe/src/caffe/layers/elu_layer.cpp; Clevert et al., "Fast and accurate deep network
             learning by exponential linear units (ELUs)".
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        self.alpha = param.elu_param.alpha

    def forward(self, x: Tensor) -> Tensor:
        return F.elu(x, self.alpha)
