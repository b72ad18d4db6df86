"""BNLL: the binomial normal log likelihood, a smooth rectifier."""

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.layer import Layer, register

LARGEST = 50  # x above it counts as this in the gradient


@register("BNLL")
class BNLL(Layer):
    """y = log(1 + exp(x)), without overflow; the gradient is that of min(x, 50).

    Bottom:  x, of any shape.
    Top:     y, of the same shape.
    Source:  caffe/src/caffe/layers/bnll_layer.cpp
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.softplus(x, threshold=LARGEST)
