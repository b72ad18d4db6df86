"""HingeLoss: the loss of one-against-all support vector machines."""

import math
from typing import cast

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from caffepy.layers.items import require_same_items
from caffepy.layers.labels import (
    Labels,
    read_labels,
    require_known_labels,
    require_one_label_an_item,
)
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import HingeLossParameter, LayerParameter


class _Context(FunctionCtx):
    """What forward leaves for backward."""

    squared: bool
    saved_tensors: tuple[Tensor, Tensor, Tensor]


class _Loss(torch.autograd.Function):
    """The mean over the items of the sum of max(0, 1 + s), or of its square.

    scores (N, C), s of which is -score for the target; labels: (N, 1) each.
    """

    @staticmethod
    def forward(ctx: _Context, scores: Tensor, labels: Labels, squared: bool) -> Tensor:
        missing = scores + 1
        missing.scatter_(1, labels.target, 1 - scores.gather(1, labels.target)).relu_()
        ctx.squared = squared
        ctx.save_for_backward(missing, labels.target, labels.unknown)
        costs = torch.linalg.vecdot(missing, missing) if squared else missing.sum(1)
        return labels.settle(costs.unsqueeze(1)).sum().div_(len(scores))

    @staticmethod
    @once_differentiable
    def backward(ctx: _Context, gradient: Tensor) -> tuple[Tensor, None, None]:
        missing, target, unknown = ctx.saved_tensors
        change = missing * 2 if ctx.squared else missing.sign()
        change.scatter_(1, target, change.gather(1, target).neg_())
        share = (gradient / len(missing)).masked_fill(unknown, 0)
        return change.mul_(share), None, None


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
        return cast("Tensor", _Loss.apply(scores, found, self.squared))

    def _require_shapes(self, scores: Shape, labels: Shape) -> None:
        require_same_items(self, scores, labels)
        require_one_label_an_item(self, (scores[0], math.prod(scores[1:])), labels, axis=1)
