"""TenCropAverage: one prediction from those for ten crops of an image."""

import math

from torch import Tensor

from caffepy.data.crop import TEN
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("TenCropAverage")
class TenCropAverage(Layer):
    """The logarithm of the mean of the probabilities that ten crops of each image give a class.

    Probabilities are the softmax of the scores over the classes. That of the top is the mean, so
    that a SoftmaxWithLoss or Accuracy after it works with the means. `transform_param { ten_crop:
    true }` puts this layer before those by itself.

    Bottom:  scores (10 N, C, *inner), those of an image's crops one after the other.
    Top:     (N, C, *inner).
    Source:  Krizhevsky et al., ImageNet Classification with Deep CNNs (2012), section 4.1.
    """

    def __init__(self, param: LayerParameter, scores: Shape) -> None:
        super().__init__(param)
        self._require_crops(scores)

    def forward(self, scores: Tensor) -> Tensor:
        self._require_crops(tuple(scores.shape))
        crops = scores.log_softmax(1).reshape(-1, TEN, *scores.shape[1:])
        return crops.logsumexp(1) - math.log(TEN)

    def _require_crops(self, scores: Shape) -> None:
        if len(scores) < 2 or scores[0] % TEN:
            raise self.error(
                f"scores of shape {scores}; {TEN} for each image are needed, their number by the "
                "classes"
            )
