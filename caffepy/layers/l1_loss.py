"""L1Loss: a regression's loss that far misses do not rule."""

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.items import require_same_dimension
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("L1Loss")
class L1Loss(Layer):
    """The distances of a and b, summed in each item, their mean: sum of |a - b| / N.

    Both bottoms get gradients, 0 where a = b.

    Bottom:  a (N, *); b, of N items too and as many numbers in each, which are taken in order.
    Top:     loss ().
    Source:  NVIDIA Caffe, src/caffe/layers/l1_loss_layer.cpp
    """

    def __init__(self, param: LayerParameter, *bottoms: Shape) -> None:
        super().__init__(param)
        require_same_dimension(self, *bottoms)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        require_same_dimension(self, tuple(a.shape), tuple(b.shape))
        return F.l1_loss(a, b.reshape(a.shape), reduction="sum") / len(a)
