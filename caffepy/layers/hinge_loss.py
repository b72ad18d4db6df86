"""HingeLoss: the loss of one-against-all support vector machines."""

import math

import torch
from torch import Tensor

from caffepy.layers.items import require_same_items
from caffepy.layers.labels import read_labels, require_known_labels, require_one_label_an_item
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import HingeLossParameter, LayerParameter


@register("HingeLoss")
class HingeLoss(Layer):
    """Mean over the items of the sum of max(0, 1 + s) over the classes.

    s is the score, its sign turned for the true class. With `norm: L2` each summand is squared. A
    summand that is 0 gives no gradient, on the margin (1 + s = 0) neither. A label of no class
    makes the loss NaN.

    Bottom:  scores (N, *), whose numbers in an item are the scores of C classes; labels, N whole
             numbers in 0 to C - 1, which get no gradient.
    Top:     loss ().
    Source:  caffe/src/caffe/layers/hinge_loss_layer.cpp
    """

    def __init__(self, param: LayerParameter, scores: Shape, labels: Shape) -> None:
        super().__init__(param)
        self.squared = param.hinge_loss_param.norm == HingeLossParameter.L2
        self._require_shapes(scores, labels)

    def check(self, *bottoms: Tensor) -> None:
        scores, labels = bottoms
        require_known_labels(self, labels, math.prod(scores.shape[1:]), None)

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        self._require_shapes(tuple(scores.shape), tuple(labels.shape))
        scores = scores.reshape(len(scores), -1)
        found = read_labels(labels.reshape(-1, 1), scores.shape[1], None)
        sign = torch.ones_like(scores).scatter(1, found.target, -1)
        shortfall = (1 + sign * scores).relu()
        costs = (shortfall.square() if self.squared else shortfall).sum(1, keepdim=True)
        return found.settle(costs).sum() / len(scores)

    def _require_shapes(self, scores: Shape, labels: Shape) -> None:
        require_same_items(self, scores, labels)
        require_one_label_an_item(self, (scores[0], math.prod(scores[1:])), labels, axis=1)
