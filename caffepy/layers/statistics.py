"""Mean and variance of each channel: to normalise by, and blobs to keep them in."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from caffepy.layers.layer import Layer, Shape
from caffepy.proto import LayerParameter

Affine = tuple[Tensor | None, Tensor | None]

NEITHER: Affine = (None, None)


class Normalised(NamedTuple):
    """A batch at mean 0 and variance 1 by channel, and what these were before.

    y: of the batch's shape. mean, variance: (C,), without gradient; the variance is that of the M
    numbers of a channel themselves. estimate: (C,), M / (M - 1) times the variance, as it is
    estimated for what they were drawn from; where M is 1, the variance.
    """

    y: Tensor
    mean: Tensor
    variance: Tensor
    estimate: Tensor


def channels_of(layer: Layer, bottom: Shape) -> int:
    """How many channels a bottom has: the size of axis 1, or 1 where it has axis 0 only.

    Raises LayerError for a bottom without axes.
    """
    if not bottom:
        raise layer.error("the bottom is a single number, must have at least 1 axis")
    return bottom[1] if len(bottom) > 1 else 1


def require_channels(layer: Layer, bottom: Shape, channels: int) -> None:
    """Raise LayerError unless the bottom has as many channels as the layer was built for."""
    if channels_of(layer, bottom) != channels:
        raise layer.error(
            f"the bottom's shape is {bottom}, must have {channels} channels on axis 1, as the "
            "layer's blobs"
        )


def by_batch(x: Tensor, eps: float, affine: Affine = NEITHER) -> Normalised:
    """(x - mean) / sqrt(variance + eps) with the batch's own mean and variance, by channel.

    x: (M,), (N, C) or (N, C, *rest); affine: a scale and a shift (C,) for what comes out, if any.
    The gradient goes through mean and variance.
    """
    items = _with_channels(x)
    channels = items.shape[1]
    count = math.prod(items.shape) // channels
    kind = torch.promote_types(x.dtype, torch.float32)
    mean, estimate = (items.new_zeros(channels, dtype=kind) for _ in range(2))
    if count == 1:  # torch estimates no variance from one number
        y = F.batch_norm(items - items, mean, estimate, *affine, eps=eps)
        return Normalised(y.reshape(x.shape), items.detach().to(kind).flatten(), estimate, estimate)
    y = F.batch_norm(items, mean, estimate, *affine, training=True, momentum=1, eps=eps)
    return Normalised(y.reshape(x.shape), mean, estimate * ((count - 1) / count), estimate)


def by_averages(
    x: Tensor, averages: tuple[Tensor, Tensor], eps: float, affine: Affine = NEITHER
) -> Tensor:
    """(x - mean) / sqrt(variance + eps), where averages = (mean, variance), both (C,).

    x: (M,), (N, C) or (N, C, *rest); affine: a scale and a shift (C,) for what comes out, if any.
    """
    return F.batch_norm(_with_channels(x), *averages, *affine, eps=eps).reshape(x.shape)


def statistic(*shape: int) -> nn.Parameter:
    """A blob of zeros that forward passes change, not the solver."""
    return nn.Parameter(torch.zeros(shape), requires_grad=False)


def hold_still(layer: Layer, blobs: Iterable[int]) -> None:
    """Enter lr_mult 0 for the layer's statistics, blobs at these places, as Caffe's files have it.

    Raises LayerError where the prototxt gives one of them another rate.
    """
    param = LayerParameter()
    param.CopyFrom(layer.param)
    given = len(param.param)
    for index in blobs:
        while len(param.param) <= index:
            param.param.add()
        spec = param.param[index]
        if index < given and spec.lr_mult != 0:
            raise layer.error(
                f"param {index} has lr_mult {spec.lr_mult:g}, must be 0 or left out with those after "
                "it: this blob is a statistic. Cannot configure batch normalization statistics as "
                "layer parameters",
                "param",
            )
        spec.lr_mult = 0
    layer.param = param


def _with_channels(x: Tensor) -> Tensor:
    return x.unsqueeze(1) if x.dim() == 1 else x
