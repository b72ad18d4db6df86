"""MultinomialLogisticLoss: the loss of a classifier that gives probabilities."""

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
from caffepy.proto import LayerParameter

SMALLEST_PROBABILITY = 1e-20  # what Caffe takes the logarithm of at least


class _Context(FunctionCtx):
    """What forward leaves for backward."""

    shape: torch.Size
    dtype: torch.dtype
    saved_tensors: tuple[Tensor, Tensor, Tensor]


class _Loss(torch.autograd.Function):
    """The mean of -log max(p[target], SMALLEST_PROBABILITY), p (N, C); labels: (N, 1) each.

    The gradient is that of -log p with the divisor bounded.
    """

    @staticmethod
    def forward(ctx: _Context, probabilities: Tensor, labels: Labels) -> Tensor:
        ctx.shape, ctx.dtype = probabilities.shape, probabilities.dtype
        true = probabilities.gather(1, labels.target)
        true = true.to(torch.promote_types(ctx.dtype, torch.float32)).clamp_(
            min=SMALLEST_PROBABILITY
        )
        ctx.save_for_backward(true, labels.target, labels.unknown)
        return labels.settle(true.log()).sum().div_(-len(true))

    @staticmethod
    @once_differentiable
    def backward(ctx: _Context, gradient: Tensor) -> tuple[Tensor, None]:
        true, target, unknown = ctx.saved_tensors
        change = (gradient / -len(true) / true).masked_fill_(unknown, 0).to(ctx.dtype)
        return change.new_zeros(ctx.shape).scatter_(1, target, change), None


@register("MultinomialLogisticLoss")
class MultinomialLogisticLoss(Layer):
    """Mean over the items of -log max(p[label], 1e-20).

    The gradient is -1 / (N max(p[label], 1e-20)), below 1e-20 too, where the loss is constant. A
    label of no class makes the loss NaN. SoftmaxWithLoss does the same for scores, and holds where
    this one's gradient becomes huge.

    Bottom:  p (N, *), whose numbers in an item are the probabilities of C classes; labels, N whole
             numbers in 0 to C - 1, which get no gradient.
    Top:     loss ().
    Source:  caffe/src/caffe/layers/multinomial_logistic_loss_layer.cpp
    """

    def __init__(self, param: LayerParameter, probabilities: Shape, labels: Shape) -> None:
        super().__init__(param)
        self._require_shapes(probabilities, labels)

    def check(self, *bottoms: Tensor) -> None:
        probabilities, labels = bottoms
        require_known_labels(self, labels, math.prod(probabilities.shape[1:]), None)

    def forward(self, probabilities: Tensor, labels: Tensor) -> Tensor:
        self._require_shapes(tuple(probabilities.shape), tuple(labels.shape))
        flat = probabilities.reshape(len(probabilities), -1)
        found = read_labels(labels.reshape(-1, 1), flat.shape[1], None)
        return cast("Tensor", _Loss.apply(flat, found))

    def _require_shapes(self, probabilities: Shape, labels: Shape) -> None:
        require_same_items(self, probabilities, labels)
        items = (probabilities[0], math.prod(probabilities[1:]))
        require_one_label_an_item(self, items, labels, axis=1)
