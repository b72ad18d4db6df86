"""BN: normalisation by channel with a scale and a shift, in SegNet's and in PSPNet's way."""

import torch
from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.layers.statistics import (
    by_averages,
    by_batch,
    channels_of,
    hold_still,
    require_channels,
    statistic,
)
from caffepy.proto import BNParameter, LayerParameter

SEGNET = ("scale_filler", "shift_filler", "bn_mode")  # the others are PSPNet's
SEGNET_EPS = 1e-9


@register("BN")
class BN(Layer):
    """y = scale (x - mean) / sqrt(variance + eps) + shift, by channel; two layers of one name.

    PSPNet's: in TRAIN with the batch's mean and biased variance, through which the gradient goes;
    the averages of both become momentum (their own) + (1 - momentum) (the batch's). In TEST with
    these averages; with `frozen` in TRAIN too, and then nothing learns.
    SegNet's, in mode LEARN: with the batch's mean and variance, in TEST too, and eps 1e-9; no
    averages. In mode INFERENCE: y = scale x + shift.

    It is SegNet's where `scale_filler`, `shift_filler` or `bn_mode` is set or there are several
    tops, else PSPNet's, also without any field. Fields of both are refused.

    Bottom:  x (N, C, *rest).
    Tops:    y, of x's shape; from SegNet's in mode LEARN, where named, the batch's mean and
             variance (1, C, 1, 1) as well, which have no gradient.
    Blobs:   SegNet's scale, shift; PSPNet's slope, bias, mean, variance: (1, C, 1, 1) each. The
             first two start at 0 unless a filler is given, the averages at 0, the variance of a
             frozen layer at 1. An average does not learn: an lr_mult for it that is not 0 is
             refused. The lr_mults of a frozen layer are taken as 0.
    Source:  bn_layer.cpp of SegNet's Caffe; bn_layer.cpp of PSPNet's Caffe.
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        bn = param.bn_param
        self.is_segnets = self._is_segnets()
        self.channels = channels_of(self, bottom)
        self.learns = bn.bn_mode == BNParameter.LEARN
        self.frozen = bn.frozen
        self.momentum = bn.momentum
        self.eps = SEGNET_EPS if self.is_segnets else bn.eps
        fillers = (
            (("scale_filler", bn.scale_filler), ("shift_filler", bn.shift_filler))
            if self.is_segnets
            else (("slope_filler", bn.slope_filler), ("bias_filler", bn.bias_filler))
        )
        shape = (1, self.channels, 1, 1)
        self.scale, self.shift = (self.filled(f, shape, f"bn_param.{name}") for name, f in fillers)
        if not self.is_segnets:
            hold_still(self, (2, 3))
            self.mean, self.variance = statistic(*shape), statistic(*shape)
            if bn.frozen:
                self._freeze()

    def _is_segnets(self) -> bool:
        """Whose layer it is; LayerError where that cannot be said."""
        fields = [field.name for field, _ in self.param.bn_param.ListFields()]
        segnets = [name for name in fields if name in SEGNET]
        others = [name for name in fields if name not in SEGNET]
        tops = len(self.param.top)
        if segnets and others:
            text = f"{segnets[0]} is of SegNet's BN and {others[0]} of PSPNet's: give one's fields"
            raise self.error(text, f"bn_param.{others[0]}")
        if tops > 1 and (others or self.param.bn_param.bn_mode == BNParameter.INFERENCE):
            text = f"has {tops} tops, but only SegNet's BN in mode LEARN has more than one"
            raise self.error(text, "top")
        return bool(segnets) or tops > 1

    def _freeze(self) -> None:
        torch.nn.init.ones_(self.variance)
        for blob, spec in zip((self.scale, self.shift), self.param.param, strict=False):
            blob.requires_grad = False
            spec.lr_mult = 0

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        require_channels(self, tuple(x.shape), self.channels)
        affine = (self.scale.flatten(), self.shift.flatten())
        if self.is_segnets:
            return self._segnets(x, affine)
        if self.frozen or not self.training:
            averages = (self.mean.flatten(), self.variance.flatten())
            return by_averages(x, averages, self.eps, affine)
        batch = by_batch(x, self.eps, affine)
        with torch.no_grad():
            self.mean.lerp_(batch.mean.view_as(self.mean), 1 - self.momentum)
            self.variance.lerp_(batch.variance.view_as(self.variance), 1 - self.momentum)
        return batch.y

    def _segnets(self, x: Tensor, affine: tuple[Tensor, Tensor]) -> Tensor | tuple[Tensor, ...]:
        if not self.learns:
            inner = (1,) * (x.dim() - 2)
            scale, shift = (blob.view(-1, *inner) for blob in affine)
            return torch.addcmul(shift, x, scale)
        batch = by_batch(x, self.eps, affine)
        statistics = (batch.mean.view_as(self.scale), batch.variance.view_as(self.scale))
        return (batch.y, *statistics)[: len(self.param.top)] if len(self.param.top) > 1 else batch.y
