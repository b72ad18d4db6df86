"""EuclideanLoss: the loss of a regression."""

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.items import require_same_dimension
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("EuclideanLoss")
class EuclideanLoss(Layer):
    """Half the squared distance of each item's a and b, their mean: sum of (a - b)^2 / 2N.

    Both bottoms get gradients.

    Bottom:  a (N, *); b, of N items too and as many numbers in each, which are taken in order.
    Top:     loss ().
    Source:  caffe/src/caffe/layers/euclidean_loss_layer.cpp
    """

    def __init__(self, param: LayerParameter, *bottoms: Shape) -> None:
        super().__init__(param)
        require_same_dimension(self, *bottoms)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        require_same_dimension(self, tuple(a.shape), tuple(b.shape))
        return F.mse_loss(a, b.reshape(a.shape), reduction="sum") / (2 * len(a))
