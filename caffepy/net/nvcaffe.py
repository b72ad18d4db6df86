"""NVCaffe's BatchNorm, whose files hold a scale and a bias as well, each version in its own order."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from caffepy.proto import LayerParameter

Array = NDArray[np.float32]
Blobs = Sequence[Array | None]

COUNT = 5


def arrange(blobs: Blobs, layer: LayerParameter) -> Blobs:
    """The blobs of a file for a layer of the net: NVCaffe's five as a BatchNorm here has them.

    NVCaffe 0.15 has scale, bias, mean, variance, factor: sums, as Caffe's. 0.16 and 0.17 have mean,
    variance, factor, scale, bias: averages, the factor 1. The place of the one number tells which,
    or, where there is one channel, a third blob of 1, or of 0 before training.

    A layer with `scale_bias` has them as 0.17. One without gets Caffe's three, if scale and bias
    do nothing. In all other cases the blobs are returned as they are.
    """
    given = [blob.reshape(-1) for blob in blobs if blob is not None]
    if layer.type != "BatchNorm" or len(given) != COUNT:
        return blobs
    if given[2].size == 1 and (given[4].size > 1 or given[2][0] in (0, 1)):
        mean, variance, factor, scale, bias = given
    elif given[4].size == 1:
        scale, bias, mean, variance, factor = given
    else:
        return blobs
    if not layer.batch_norm_param.scale_bias:
        nothing_more = (scale == 1).all() and (bias == 0).all()
        return [mean, variance, factor] if nothing_more else blobs
    return [*_averages(mean, variance, factor), scale, bias]


def advice(count: int, layer: LayerParameter) -> str:
    """What to do about a layer for which a file has `count` blobs, too many: after a semicolon."""
    if layer.type != "BatchNorm" or count != COUNT:
        return ""
    return "; those of NVCaffe, with a scale and a bias, are for batch_norm_param.scale_bias: true"


def _averages(mean: Array, variance: Array, factor: Array) -> list[Array]:
    """Averages, and the factor that stands for them: 1, or 0 where nothing was averaged."""
    if factor[0] == 0:
        return [np.zeros_like(mean), np.zeros_like(variance), factor]
    return [mean / factor, variance / factor, np.ones_like(factor)]
