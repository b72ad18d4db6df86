"""Accuracy: how many items a classifier gets right."""

import torch
from torch import Tensor

from caffepy.layers.axis import axis_from_front
from caffepy.layers.labels import (
    Labels,
    labels_of,
    require_known_labels,
    require_one_label_an_item,
)
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


def hits(scores: Tensor, labels: Labels, axis: int, top_k: int) -> Tensor:
    """1 where the true class is among the `top_k` best, 0 where not, NaN for a label of no class.

    A class counts as better unless its score is below that of the true one: so do equals and NaN.
    scores: (*outer, C, *inner), C at `axis`; labels: of that shape, with 1 for C; so is the result.
    """
    true = scores.gather(axis, labels.target)
    worse = torch.empty_like(scores, dtype=torch.promote_types(scores.dtype, torch.float32))
    torch.lt(scores, true, out=worse)  # floats are made and counted in a third of booleans' time
    hit = worse.sum(axis, keepdim=True) >= scores.shape[axis] - top_k
    return labels.settle(hit.float())


@register("Accuracy")
class Accuracy(Layer):
    """The part of the items whose true class is among the `top_k` classes with the best scores.

    Ties count against it: fewer than `top_k` other classes may reach the score of the true one. A
    NaN counts as better than any score, and nothing as better than a NaN's own. Items whose label
    is `ignore_label` are left out; where no item is left the accuracy is 0. A label of no class
    makes it NaN. No bottom gets a gradient.

    Bottom:  scores (*outer, C, *inner), C at `axis`; labels, prod(outer) * prod(inner) whole
             numbers in 0 to C - 1.
    Top:     accuracy (); and, where a second top is named, the accuracy over the items of each
             class (C,), 0 for a class without items.
    Source:  caffe/src/caffe/layers/accuracy_layer.cpp
    """

    def __init__(self, param: LayerParameter, scores: Shape, labels: Shape) -> None:
        super().__init__(param)
        accuracy = param.accuracy_param
        self.axis = axis_from_front(self, accuracy.axis, scores, "accuracy_param.axis")
        self.ignore = accuracy.ignore_label if accuracy.HasField("ignore_label") else None
        self.top_k = accuracy.top_k
        self.by_class = len(param.top) > 1
        self._require_shapes(scores, labels)

    def check(self, *bottoms: Tensor) -> None:
        scores, labels = bottoms
        require_known_labels(self, labels, scores.shape[self.axis], self.ignore)

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        self._require_shapes(tuple(scores.shape), tuple(labels.shape))
        scores = scores.detach()
        found = labels_of(scores, labels, self.axis, self.ignore)
        hit = hits(scores, found, self.axis, self.top_k)
        counted = torch.ones_like(hit) if found.ignored is None else (~found.ignored).float()
        accuracy = hit.sum() / counted.sum().clamp(min=1)
        if not self.by_class:
            return accuracy
        none, target = hit.new_zeros(scores.shape[self.axis]), found.target.flatten()
        right = none.scatter_add(0, target, hit.flatten())
        of_class = none.scatter_add(0, target, counted.flatten())
        return accuracy, right / of_class.clamp(min=1)

    def _require_shapes(self, scores: Shape, labels: Shape) -> None:
        classes = scores[self.axis]
        if not 1 <= self.top_k <= classes:
            raise self.error(
                f"top_k is {self.top_k}, but scores of shape {scores} have {classes} classes along "
                f"axis {self.axis}: 1 to {classes} are allowed",
                "accuracy_param.top_k",
            )
        require_one_label_an_item(self, scores, labels, self.axis)
