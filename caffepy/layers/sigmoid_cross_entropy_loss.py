"""SigmoidCrossEntropyLoss: the loss of yes-or-no answers, any number of them an item."""

import torch
import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.items import require_same_dimension
from caffepy.layers.layer import Layer, Shape, register
from caffepy.layers.normalization import normalization_of, normalizer
from caffepy.proto import LayerParameter, LossParameter


@register("SigmoidCrossEntropyLoss")
class SigmoidCrossEntropyLoss(Layer):
    """Sum of -t log(p) - (1 - t) log(1 - p), p = sigmoid of the scores, over Z.

    It is computed from the scores, so that it is exact where p is 0 or 1. Targets that are
    `ignore_label`, cut off towards zero, count nothing. Z, at least 1, is by `normalization` the
    number of targets not ignored (VALID), of all targets (FULL), of items (BATCH_SIZE) or 1 (NONE);
    where neither `normalization` nor `normalize` is given, of items. `class_weight` and
    `label_smoothing` are refused: a target has no class, and it may be smooth itself.

    Bottom:  scores (N, *); targets t, of N items too and as many numbers in each, which are taken in
             order, any number in 0 to 1; they get no gradient.
    Top:     loss ().
    Source:  caffe/src/caffe/layers/sigmoid_cross_entropy_loss_layer.cpp
    """

    def __init__(self, param: LayerParameter, *bottoms: Shape) -> None:
        super().__init__(param)
        loss = param.loss_param
        given = loss.HasField("normalization") or loss.HasField("normalize")
        self.normalization = normalization_of(loss) if given else LossParameter.BATCH_SIZE
        self.ignore = loss.ignore_label if loss.HasField("ignore_label") else None
        if loss.class_weight:
            raise self.error(
                "class_weight has no meaning here, where a target is no class; leave it out",
                "loss_param.class_weight",
            )
        if loss.label_smoothing:
            raise self.error(
                "label_smoothing has no meaning here; targets may be fractions themselves",
                "loss_param.label_smoothing",
            )
        require_same_dimension(self, *bottoms)

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        require_same_dimension(self, tuple(scores.shape), tuple(targets.shape))
        dtype = torch.promote_types(scores.dtype, torch.float32)
        x, t = scores.to(dtype), targets.detach().to(dtype).reshape(scores.shape)
        if self.ignore is None:
            ignored, counted = None, None
        else:
            ignored = t.trunc() == self.ignore
            counted = (~ignored).to(dtype)
        loss = F.binary_cross_entropy_with_logits(x, t, counted, reduction="sum")
        return loss / normalizer(self.normalization, tuple(t.shape), ignored, axis=1)
