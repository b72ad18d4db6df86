"""SoftmaxWithLoss: the loss of a classifier."""

import math
from typing import cast

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from caffepy.layers.axis import axis_from_front
from caffepy.layers.class_weight import class_weight_of, require_one_weight_a_class
from caffepy.layers.items import require_same_items
from caffepy.layers.labels import (
    Labels,
    labels_of,
    require_known_labels,
    require_one_label_an_item,
)
from caffepy.layers.layer import Layer, Shape, register
from caffepy.layers.normalization import normalization_of, normalizer
from caffepy.layers.softmax import softmax
from caffepy.proto import LayerParameter

SMALLEST_PROBABILITY = torch.finfo(torch.float32).tiny  # what Caffe takes the logarithm of at least
LARGEST_LOSS = -math.log(SMALLEST_PROBABILITY)  # 87.3365


class _Context(FunctionCtx):
    """What forward leaves for backward."""

    divisor: Tensor | int
    dtype: torch.dtype
    saved_tensors: tuple[Tensor, Tensor | None]

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors, and notice if they are changed."""
        super().save_for_backward(*tensors)  # type: ignore[arg-type]  # torch takes None as well


class _Loss(torch.autograd.Function):
    """The sum of what the items cost, each times its weight, over a divisor.

    An item costs -log softmax(scores)[target], at most LARGEST_LOSS; of a `smoothing` e it is
    (1 - e) of that and e of the mean over the classes. The gradient is that without the bound, by
    the rules of softmax p - (1 - e) onehot(target) - e / C.
    scores: (*outer, C, *inner), C at `axis`; labels and weight: of that shape, with 1 for C. The
    loss is float32 where the scores have fewer bits, as under autocast.
    """

    @staticmethod
    def forward(  # noqa: PLR0913  autograd hands over one by one
        ctx: _Context,
        scores: Tensor,
        labels: Labels,
        weight: Tensor | None,
        divisor: Tensor | int,
        axis: int,
        smoothing: float,
    ) -> Tensor:
        dtype = torch.promote_types(scores.dtype, torch.float32)
        probabilities = softmax(scores, axis, dtype)
        if smoothing:
            logarithms = scores.log_softmax(axis, dtype=dtype)
            gains = logarithms.gather(axis, labels.target).mul_(1 - smoothing)
            gains.add_(logarithms.mean(axis, keepdim=True), alpha=smoothing)
            gains.clamp_(min=-LARGEST_LOSS)
            probabilities -= smoothing / scores.shape[axis]
        else:
            gains = probabilities.gather(axis, labels.target)
            gains.clamp_(min=SMALLEST_PROBABILITY).log_()
        if weight is not None:
            gains.mul_(weight)
        if labels.ignored is not None:
            counted = (~labels.ignored).to(dtype)
            weight = counted if weight is None else weight * counted
        ctx.divisor, ctx.dtype = divisor, scores.dtype
        change = probabilities.scatter_(axis, labels.target, smoothing - 1, reduce="add")
        ctx.save_for_backward(change, weight)
        return labels.settle(gains).sum().div_(-divisor)

    @staticmethod
    @once_differentiable
    def backward(ctx: _Context, gradient: Tensor) -> tuple[Tensor, None, None, None, None, None]:
        change, weight = ctx.saved_tensors
        share = gradient / ctx.divisor
        change = change * (share if weight is None else share * weight)
        return change.to(ctx.dtype), None, None, None, None, None


@register("SoftmaxWithLoss")
class SoftmaxWithLoss(Layer):
    """Mean over the items of -log p[label], p = softmax of the scores along `axis`.

    An item costs 87.3365 (-log of float32's smallest normal number) at most, while its gradient,
    (p - onehot(label)) / Z, is exact. Items whose label is `ignore_label` count nothing. Z, at
    least 1, is by `normalization` the number of items not ignored (VALID), of all items (FULL), the
    product of the axes before `axis` (BATCH_SIZE) or 1 (NONE). A label of no class makes the loss
    NaN.

    Beyond Caffe, of loss_param: `class_weight`, a number a class, multiplies what each item costs
    by the weight of its label; Z still counts items, and does not sum weights. `label_smoothing` e,
    0 or more and below 1, takes for onehot(label) the target t = (1 - e) onehot(label) + e / C: an
    item costs the sum over the classes of -t log p. With both, the weight is that of the label, for
    all of the item's cost.

    Bottom:  scores (*outer, C, *inner), C at `axis`; labels, prod(outer) * prod(inner) whole
             numbers in 0 to C - 1, whose first axis is that of the scores; they get no gradient.
    Top:     loss (); and, where a second top is named, the probabilities, of the scores' shape.
    Source:  caffe/src/caffe/layers/softmax_loss_layer.cpp
    """

    class_weight: Tensor | None

    def __init__(self, param: LayerParameter, scores: Shape, labels: Shape) -> None:
        super().__init__(param)
        loss = param.loss_param
        self.axis = axis_from_front(self, param.softmax_param.axis, scores, "softmax_param.axis")
        self.ignore = loss.ignore_label if loss.HasField("ignore_label") else None
        self.normalization = normalization_of(loss)
        self.smoothing = loss.label_smoothing
        if not 0 <= self.smoothing < 1:
            raise self.error(
                f"label_smoothing is {self.smoothing:g}; 0 or more and below 1 is allowed",
                "loss_param.label_smoothing",
            )
        self.register_buffer("class_weight", class_weight_of(self), persistent=False)
        self.gives_probabilities = len(param.top) > 1
        self._require_shapes(scores, labels)

    def check(self, *bottoms: Tensor) -> None:
        scores, labels = bottoms
        require_known_labels(self, labels, scores.shape[self.axis], self.ignore)

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        self._require_shapes(tuple(scores.shape), tuple(labels.shape))
        found = labels_of(scores, labels, self.axis, self.ignore)
        weight = None if self.class_weight is None else self.class_weight[found.target]
        divisor = normalizer(
            self.normalization, tuple(found.target.shape), found.ignored, self.axis
        )
        loss = cast(
            "Tensor", _Loss.apply(scores, found, weight, divisor, self.axis, self.smoothing)
        )
        return (loss, softmax(scores, self.axis)) if self.gives_probabilities else loss

    def _require_shapes(self, scores: Shape, labels: Shape) -> None:
        require_one_label_an_item(self, scores, labels, self.axis)
        require_same_items(self, scores, labels)
        require_one_weight_a_class(self, self.class_weight, scores[self.axis])
