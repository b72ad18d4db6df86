"""InfogainLoss: a classifier's loss in which a matrix says what each mistake costs."""

import logging
import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx

from caffepy.errors import ParseError
from caffepy.layers.axis import axis_from_front
from caffepy.layers.class_weight import class_weight_of, require_one_weight_a_class
from caffepy.layers.items import require_same_items
from caffepy.layers.labels import labels_of, require_known_labels, require_one_label_an_item
from caffepy.layers.layer import Layer, Shape, register
from caffepy.layers.normalization import normalization_of, normalizer
from caffepy.layers.softmax import softmax
from caffepy.proto import BlobProto, LayerParameter, LossParameter
from caffepy.proto.arrays import to_array
from caffepy.proto.files import read_binary

logger = logging.getLogger(__name__)

SMALLEST_LOGARITHM = math.log(1e-20)  # -46.05: Caffe counts no probability below 1e-20
SOURCE = "infogain_loss_param.source"


class _Counted(torch.autograd.Function):
    """SMALLEST_LOGARITHM where x is less, and x elsewhere; the gradient goes through everywhere."""

    @staticmethod
    def forward(_ctx: FunctionCtx, x: Tensor) -> Tensor:
        return x.clamp(min=SMALLEST_LOGARITHM)

    @staticmethod
    def backward(_ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        return gradient


@register("InfogainLoss")
class InfogainLoss(Layer):
    """Sum over the items of the sum over classes l of -H[label, l] log(p[l]), over Z.

    p is the softmax of the scores along `axis`. log(p[l]) counts -46.05, log of 1e-20, at least,
    while the gradient, (p[l] sum_j H[label, j] - H[label, l]) / Z, is exact. `ignore_label`, Z by
    `normalization`, `class_weight` and the second top are as in SoftmaxWithLoss, which this is with
    the unit matrix for H; `normalize` is refused, as in Caffe, and so is `label_smoothing`: H has
    it. A label of no class makes the loss NaN.

    Bottom:  scores (*outer, C, *inner), C at `axis`; labels, prod(outer) * prod(inner) whole
             numbers in 0 to C - 1, whose first axis is that of the scores; and H, C * C numbers,
             row by row, unless they are in the binaryproto file `source`. Only the scores get a
             gradient.
    Top:     loss (); and, where a second top is named, the probabilities, of the scores' shape.
    Source:  caffe/src/caffe/layers/infogain_loss_layer.cpp
    """

    class_weight: Tensor | None
    matrix: Tensor | None

    def __init__(self, param: LayerParameter, scores: Shape, labels: Shape, *matrix: Shape) -> None:
        super().__init__(param)
        loss, infogain = param.loss_param, param.infogain_loss_param
        self.axis = axis_from_front(self, infogain.axis, scores, "infogain_loss_param.axis")
        self.ignore = loss.ignore_label if loss.HasField("ignore_label") else None
        self._refuse_fields(loss)
        self.normalization = normalization_of(loss)
        self.gives_probabilities = len(param.top) > 1
        self.register_buffer("class_weight", class_weight_of(self), persistent=False)
        self.register_buffer("matrix", self._read_matrix(bool(matrix)), persistent=False)
        self._require_shapes(scores, labels, *matrix)

    def check(self, *bottoms: Tensor) -> None:
        scores, labels = bottoms[:2]
        require_known_labels(self, labels, scores.shape[self.axis], self.ignore)

    def forward(
        self, scores: Tensor, labels: Tensor, *matrix: Tensor
    ) -> Tensor | tuple[Tensor, Tensor]:
        self._require_shapes(*(tuple(bottom.shape) for bottom in (scores, labels, *matrix)))
        classes = scores.shape[self.axis]
        found = labels_of(scores, labels, self.axis, self.ignore)
        dtype = torch.promote_types(scores.dtype, torch.float32)
        given = matrix[0].detach() if self.matrix is None else self.matrix
        table = given.to(dtype).reshape(classes, classes)
        rows = F.embedding(found.target.squeeze(self.axis), table)
        logarithms = F.log_softmax(scores, self.axis, dtype=dtype)
        counted = cast("Tensor", _Counted.apply(logarithms))
        costs = counted.mul_(rows.movedim(-1, self.axis)).sum(self.axis, keepdim=True).neg()
        if self.class_weight is not None:
            costs = self.class_weight[found.target] * costs
        places = tuple(found.target.shape)
        divisor = normalizer(self.normalization, places, found.ignored, self.axis)
        loss = found.settle(costs).sum() / divisor
        return (loss, softmax(scores, self.axis)) if self.gives_probabilities else loss

    def _refuse_fields(self, loss: LossParameter) -> None:
        if loss.HasField("normalize"):
            raise self.error(
                "normalize is not for this layer; say normalization: VALID or BATCH_SIZE",
                "loss_param.normalize",
            )
        if loss.label_smoothing:
            raise self.error(
                "label_smoothing is not for this layer; H says how much of each class a label is",
                "loss_param.label_smoothing",
            )

    def _read_matrix(self, given: bool) -> Tensor | None:
        """H of the file `source`; None where H is the third bottom."""
        source = self.param.infogain_loss_param.source
        if given:
            if source:
                logger.warning(
                    "layer %r: H is its third bottom, %s is not read", self.param.name, SOURCE
                )
            return None
        if not source:
            raise self.error("H is missing: give source, a binaryproto file, or a third bottom")
        try:
            return torch.from_numpy(to_array(read_binary(source, BlobProto)))
        except ParseError as error:
            raise self.error(f"{SOURCE}: {error}", SOURCE) from error

    def _require_shapes(self, scores: Shape, labels: Shape, *matrix: Shape) -> None:
        require_one_label_an_item(self, scores, labels, self.axis)
        require_same_items(self, scores, labels)
        classes = scores[self.axis]
        require_one_weight_a_class(self, self.class_weight, classes)
        for shape in matrix if self.matrix is None else [tuple(self.matrix.shape)]:
            if math.prod(shape) != classes * classes:
                raise self.error(
                    f"H of shape {shape} has {math.prod(shape)} numbers; scores of shape {scores}, "
                    f"with {classes} classes along axis {self.axis}, need {classes * classes}",
                    SOURCE if not matrix else "",
                )
