"""SmoothL1Loss: the loss of boxes, quadratic for near misses and linear for far ones."""

import math

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.items import require_same_dimension
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("SmoothL1Loss")
class SmoothL1Loss(Layer):
    """Sum of outside * f(inside * (a - b)) / N.

    f(d) = (sigma d)^2 / 2 where |d| < 1 / sigma^2, else |d| - 1 / (2 sigma^2). Weights that are not
    given are 1. a and b get gradients, the weights none.

    Bottom:  a (N, *); b; where given, inside weights; and outside weights: each of N items and as
             many numbers in each as a has. Fast R-CNN takes 2 or 4 of them, SSD 2 or 3.
    Top:     loss ().
    Source:  caffe-fast-rcnn, src/caffe/layers/smooth_L1_loss_layer.cu
    """

    def __init__(self, param: LayerParameter, *bottoms: Shape) -> None:
        super().__init__(param)
        sigma = param.smooth_l1_loss_param.sigma
        if not (math.isfinite(sigma) and sigma > 0):
            raise self.error(
                f"sigma is {sigma:g}; a number above 0 is allowed", "smooth_l1_loss_param.sigma"
            )
        self.beta = 1 / sigma**2
        require_same_dimension(self, *bottoms)

    def forward(self, a: Tensor, b: Tensor, *weights: Tensor) -> Tensor:
        require_same_dimension(self, *(tuple(bottom.shape) for bottom in (a, b, *weights)))
        b = b.reshape(a.shape)
        if not weights:
            return F.smooth_l1_loss(a, b, reduction="sum", beta=self.beta) / len(a)
        inside, *outside = (weight.detach().reshape(a.shape) for weight in weights)
        difference = inside * (a - b)
        zero = difference.new_zeros(()).expand_as(difference)
        costs = F.smooth_l1_loss(difference, zero, reduction="none", beta=self.beta)
        for weight in outside:
            costs = weight * costs
        return costs.sum() / len(a)
