"""What losses divide by, as loss_param says."""

import math

from torch import Tensor

from caffepy.layers.layer import Shape
from caffepy.proto import LossParameter


def normalization_of(loss: LossParameter) -> LossParameter.NormalizationMode:
    """What to divide by: `normalization`, or the older `normalize` where that alone is given."""
    if loss.HasField("normalize") and not loss.HasField("normalization"):
        return LossParameter.VALID if loss.normalize else LossParameter.BATCH_SIZE
    return loss.normalization


def normalizer(
    mode: LossParameter.NormalizationMode, places: Shape, ignored: Tensor | None, axis: int
) -> Tensor | int:
    """The divisor of a sum of costs, 1 or more.

    By `mode` it counts the places that are not ignored (VALID), all places (FULL), those of the
    axes before `axis` (BATCH_SIZE) or nothing (NONE), where it is 1.
    places: their shape, the batch along the axes before `axis`; ignored: of that shape, or None
    where none is.
    """
    match mode:
        case LossParameter.VALID if ignored is not None:
            return (ignored.numel() - ignored.sum()).clamp(min=1)
        case LossParameter.VALID | LossParameter.FULL:
            return max(1, math.prod(places))
        case LossParameter.BATCH_SIZE:
            return max(1, math.prod(places[:axis]))
        case _:
            return 1
