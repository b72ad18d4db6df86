"""ReLU: the rectifier, plain or leaky."""

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("ReLU")
class ReLU(Layer):
    """y = max(x, 0) + negative_slope min(x, 0); the gradient at 0 is the slope.

    Bottom:  x, of any shape.
    Top:     y, of the same shape.
    Source:  caffe/src/caffe/layers/relu_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        self.negative_slope = param.relu_param.negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, self.negative_slope) if self.negative_slope else F.relu(x)
