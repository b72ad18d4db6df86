"""SoftmaxWithLoss: the loss of a classifier."""

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.axis import axis_from_front
from caffepy.layers.labels import labels_of, require_known_labels, require_one_label_an_item
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter, LossParameter

LARGEST_LOSS = -math.log(torch.finfo(torch.float32).tiny)  # 87.3365: where Caffe stops counting


class _Capped(torch.autograd.Function):
    """min(loss, LARGEST_LOSS), with the gradient of the loss itself."""

    @staticmethod
    def forward(_ctx: object, loss: Tensor) -> Tensor:
        return loss.clamp(max=LARGEST_LOSS)

    @staticmethod
    def backward(_ctx: object, gradient: Tensor) -> Tensor:
        return gradient


def capped_costs(scores: Tensor, target: Tensor, axis: int) -> Tensor:
    """What each item costs: -log softmax(scores)[target], at most LARGEST_LOSS.

    scores: (*outer, C, *inner), C at `axis`; target: int64, of that shape, with 1 for C; so is the
    result, in float32 where the scores have fewer bits, as under autocast.
    """
    dtype = torch.promote_types(scores.dtype, torch.float32)
    costs = -F.log_softmax(scores, axis, dtype=dtype).gather(axis, target)
    return cast("Tensor", _Capped.apply(costs))


def normalization_of(loss: LossParameter) -> LossParameter.NormalizationMode:
    """What to divide by: `normalization`, or the older `normalize` where that alone is given."""
    if loss.HasField("normalize") and not loss.HasField("normalization"):
        return LossParameter.VALID if loss.normalize else LossParameter.BATCH_SIZE
    return loss.normalization


@register("SoftmaxWithLoss")
class SoftmaxWithLoss(Layer):
    """Mean over the items of -log p[label], p = softmax of the scores along `axis`.

    An item costs 87.3365 (-log of float32's smallest normal number) at most, while its gradient,
    (p - onehot(label)) / Z, is exact. Items whose label is `ignore_label` count nothing. Z, at
    least 1, is by `normalization` the number of items not ignored (VALID), of all items (FULL), the
    product of the axes before `axis` (BATCH_SIZE) or 1 (NONE). A label of no class makes the loss
    NaN.

    Bottom:  scores (*outer, C, *inner), C at `axis`; labels, prod(outer) * prod(inner) whole
             numbers in 0 to C - 1, whose first axis is that of the scores; they get no gradient.
    Top:     loss (); and, where a second top is named, the probabilities, of the scores' shape.
    Source:  caffe/src/caffe/layers/softmax_loss_layer.cpp
    """

    def __init__(self, param: LayerParameter, scores: Shape, labels: Shape) -> None:
        super().__init__(param)
        loss = param.loss_param
        self.axis = axis_from_front(self, param.softmax_param.axis, scores, "softmax_param.axis")
        self.ignore = loss.ignore_label if loss.HasField("ignore_label") else None
        self.normalization = normalization_of(loss)
        self.gives_probabilities = len(param.top) > 1
        self._require_shapes(scores, labels)

    def check(self, *bottoms: Tensor) -> None:
        scores, labels = bottoms
        require_known_labels(self, labels, scores.shape[self.axis], self.ignore)

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        self._require_shapes(tuple(scores.shape), tuple(labels.shape))
        target, known, ignored = labels_of(scores, labels, self.axis, self.ignore)
        costs = capped_costs(scores, target, self.axis)
        costs = torch.where(ignored, 0, torch.where(known, costs, math.nan))
        loss = costs.sum() / self._normalizer(ignored)
        return (loss, F.softmax(scores, self.axis)) if self.gives_probabilities else loss

    def _normalizer(self, ignored: Tensor) -> Tensor | int:
        match self.normalization:
            case LossParameter.VALID:
                return (~ignored).sum().clamp(min=1)
            case LossParameter.FULL:
                return max(1, ignored.numel())
            case LossParameter.BATCH_SIZE:
                return max(1, math.prod(ignored.shape[: self.axis]))
            case _:
                return 1

    def _require_shapes(self, scores: Shape, labels: Shape) -> None:
        require_one_label_an_item(self, scores, labels, self.axis)
        if scores[:1] != labels[:1]:
            raise self.error(
                f"scores of shape {scores} and labels of shape {labels} differ in their first axis"
            )
