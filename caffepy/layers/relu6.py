"""ReLU6: the rectifier that stops at 6."""

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.layer import Layer, register


@register("ReLU6")
class ReLU6(Layer):
    """y = min(max(x, 0), 6); the gradient at 0 and at 6 is 0. A type of forks, for MobileNets.

    Bottom:  x, of any shape.
    Top:     y, of the same shape.
    Source:  relu6_layer.cpp of Caffe forks; Howard et al., "MobileNets: efficient convolutional
             neural networks for mobile vision applications".
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(x)
