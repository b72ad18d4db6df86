"""Dropout: random zeros in training."""

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("Dropout")
class Dropout(Layer):
    """Training: each number is dropped with probability p, the others grow: y = x m / (1 - p).

    In test, y = x. m is 1 with probability 1 - p, else 0; p is `dropout_ratio`, 0 <= p < 1.

    Bottom:  x, of any shape.
    Top:     y, of x's shape.
    Source:  caffe/src/caffe/layers/dropout_layer.cpp
    """

    def __init__(self, param: LayerParameter, _bottom: Shape) -> None:
        super().__init__(param)
        self.ratio = param.dropout_param.dropout_ratio
        if not 0 <= self.ratio < 1:
            raise self.error(
                f"dropout_ratio is {self.ratio:g}, the part to drop: 0 up to, but not, 1 is allowed",
                "dropout_param.dropout_ratio",
            )

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.ratio, self.training)
