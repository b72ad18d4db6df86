"""BatchNorm: mean 0 and variance 1 by channel."""

import torch
from torch import Tensor, nn

from caffepy.layers.layer import Layer, Shape, register
from caffepy.layers.statistics import (
    by_averages,
    by_batch,
    channels_of,
    hold_still,
    require_channels,
    statistic,
)
from caffepy.proto import FillerParameter, LayerParameter


@register("BatchNorm")
class BatchNorm(Layer):
    """y = (x - mean) / sqrt(variance + eps), by channel.

    mean and variance are the batch's own, the variance biased, and the gradient goes through them;
    or those of `use_global_stats`, which is on in phase TEST unless the prototxt says something:
    mean / factor and variance / factor of the blobs, 0 where the factor is.
    Every forward pass by the batch's statistics, in phase TEST too, makes
    factor = m factor + 1, mean = m mean + (batch's), variance = m variance + (batch's) M / (M - 1),
    with m = `moving_average_fraction` and M numbers a channel; where M is 1, without M / (M - 1).

    Bottom:  x (N, C, *rest), or (N,), which is one channel.
    Top:     y, of x's shape.
    Blobs:   mean (C,), variance (C,), factor (1,): sums, as above, from 0 on. None of them learns:
             an lr_mult that is not 0 is refused, and saved files have lr_mult 0 for each.
             With NVCaffe's `scale_bias` two more, scale (C,) and bias (C,), which learn, from 1 and
             0 on unless a filler is given: y = scale (x - mean) / sqrt(variance + eps) + bias. As
             in NVCaffe 0.16 and 0.17, mean and variance are then averages, not sums:
             mean = m mean + (1 - m) (batch's), and the factor only tells whether there was a batch
             before: the first is taken whole.
    Source:  caffe/src/caffe/layers/batch_norm_layer.cpp; Ioffe and Szegedy, "Batch normalization:
             accelerating deep network training by reducing internal covariate shift".
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        bn = param.batch_norm_param
        self.channels = channels_of(self, bottom)
        self.stored = bn.use_global_stats if bn.HasField("use_global_stats") else None
        self.fraction = bn.moving_average_fraction
        self.eps = bn.eps
        hold_still(self, range(3))
        self.mean = statistic(self.channels)
        self.variance = statistic(self.channels)
        self.factor = statistic(1)
        one = FillerParameter(value=1)
        self.scale = self._learned(
            "scale_filler", bn.scale_filler if bn.HasField("scale_filler") else one
        )
        self.bias = self._learned("bias_filler", bn.bias_filler)

    def _learned(self, field: str, filler: FillerParameter) -> nn.Parameter | None:
        """NVCaffe's scale or bias; None where the layer has none."""
        bn = self.param.batch_norm_param
        if bn.scale_bias:
            return self.filled(filler, (self.channels,), f"batch_norm_param.{field}")
        if bn.HasField(field):
            text = f"{field} is given, but without scale_bias: true there is nothing to fill"
            raise self.error(text, f"batch_norm_param.{field}")
        return None

    def forward(self, x: Tensor) -> Tensor:
        require_channels(self, tuple(x.shape), self.channels)
        affine = (self.scale, self.bias)
        stored = not self.training if self.stored is None else self.stored
        if stored:
            return by_averages(x, self._averages(), self.eps, affine)
        batch = by_batch(x, self.eps, affine)
        self._remember(batch.mean, batch.estimate)
        return batch.y

    def _averages(self) -> tuple[Tensor, Tensor]:
        if self.scale is not None:
            return self.mean, self.variance
        part = torch.where(self.factor == 0, 0, 1 / self.factor)
        return self.mean * part, self.variance * part

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.scale is not None:
            keep = self.fraction * (self.factor != 0)
            self.mean.mul_(keep).add_((1 - keep) * mean)
            self.variance.mul_(keep).add_((1 - keep) * variance)
            self.factor.fill_(1)
            return
        self.mean.mul_(self.fraction).add_(mean)
        self.variance.mul_(self.fraction).add_(variance)
        self.factor.mul_(self.fraction).add_(1)
