"""Labels as Caffe's losses and Accuracy take them: one number an item, an index of a class."""

import math
from typing import NamedTuple

from torch import Tensor

from caffepy.errors import LayerError
from caffepy.layers.layer import Layer, Shape


class LabelError(LayerError):
    """A label that is no class: in which layer's bottom, and of which item of the batch."""

    def __init__(self, text: str, layer: Layer, item: int) -> None:
        super().__init__(text)
        self.layer = layer
        self.item = item


class Labels(NamedTuple):
    """What each label means; tensors of one shape.

    target: int64, the class, any where there is none; unknown: whether it is not a class;
    ignored: whether it is the label to pass over, which need not be a class; None if there is none.
    """

    target: Tensor
    unknown: Tensor
    ignored: Tensor | None

    def settle(self, costs: Tensor) -> Tensor:
        """costs, of the labels' shape, with NaN for unknown labels and 0 for those to pass over."""
        costs = costs.masked_fill(self.unknown, math.nan)
        return costs if self.ignored is None else costs.masked_fill(self.ignored, 0)


def read_labels(labels: Tensor, classes: int, ignore: int | None) -> Labels:
    """Sort labels, of any shape, into classes, the one to ignore, and those that mean nothing.

    Fractions are cut off towards zero, as Caffe does: 1.9 is class 1. NaN means nothing.
    """
    whole = labels.long()
    target = whole.clamp(0, classes - 1)
    return Labels(target, whole != target, None if ignore is None else whole == ignore)


def labels_of(scores: Tensor, labels: Tensor, axis: int, ignore: int | None) -> Labels:
    """The labels laid over the scores: their shape, with one entry along the axis of the classes.

    scores: (*outer, C, *inner), C at `axis`; labels: as many as outer times inner, in that order.
    """
    shape = (*scores.shape[:axis], 1, *scores.shape[axis + 1 :])
    return read_labels(labels.reshape(shape), scores.shape[axis], ignore)


def require_one_label_an_item(layer: Layer, scores: Shape, labels: Shape, axis: int) -> None:
    """Raise LayerError unless there is one label for each place that has scores."""
    items = (*scores[:axis], *scores[axis + 1 :])
    if math.prod(labels) != math.prod(items):
        raise layer.error(
            "Number of labels must match number of predictions; "
            f"scores of shape {scores} with {scores[axis]} classes along axis {axis} take "
            f"{math.prod(items)} labels, one for each place in {items}, but the labels have shape "
            f"{labels}, which is {math.prod(labels)}"
        )


def require_known_labels(layer: Layer, labels: Tensor, classes: int, ignore: int | None) -> None:
    """Raise LabelError, naming the first, where a label is neither a class nor the one to ignore."""
    if labels.numel() and all(0 <= bound.item() < classes for bound in labels.aminmax()):
        return  # which is nearly always so, and soon told
    found = read_labels(labels, classes, ignore)
    bad = found.unknown if found.ignored is None else found.unknown & ~found.ignored
    wrong = bad.nonzero()
    if len(wrong) == 0:
        return
    item, *place = wrong[0].tolist()
    where = f"item {item}, place {tuple(place)}" if place else f"item {item}"
    others = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    allowed = (
        f"0 to {classes - 1}" if ignore is None else f"0 to {classes - 1}, or {ignore} to ignore"
    )
    raise LabelError(
        f"{layer.full_name}: the label of {where} is {labels[tuple(wrong[0])].item():.9g}{others}; "
        f"allowed are {allowed}: there are {classes} classes",
        layer,
        item,
    )
