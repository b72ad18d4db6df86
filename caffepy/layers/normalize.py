"""Normalize: the length of each item, or of each of its pixels, made the same."""

from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.layers.statistics import require_channels
from caffepy.proto import FillerParameter, LayerParameter


@register("Normalize")
class Normalize(Layer):
    """y = scale x / sqrt(sum of x^2 + eps): over a whole item, or over the channels of a pixel.

    The sum is over an item, unless `across_spatial` is off: then over its channels.

    Bottom:  x (N, C, *rest).
    Top:     y, of x's shape.
    Blobs:   scale (1,), or (C,) where `channel_shared` is off; from 1 on unless a filler is given.
    Source:  normalize_layer.cpp of SSD's Caffe; Liu et al., "ParseNet: looking wider to see better".
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        norm = param.norm_param
        self._check_axes(bottom)
        self.channels = bottom[1]
        self.whole = norm.across_spatial
        self.eps = norm.eps
        shape = (1,) if norm.channel_shared else (self.channels,)
        filler = norm.scale_filler if norm.HasField("scale_filler") else FillerParameter(value=1)
        self.scale = self.filled(filler, shape, "norm_param.scale_filler")

    def forward(self, x: Tensor) -> Tensor:
        self._check_axes(tuple(x.shape))
        require_channels(self, tuple(x.shape), self.channels)
        axes = tuple(range(1, x.dim())) if self.whole else (1,)
        squares = x.square().sum(axes, keepdim=True)
        return x * (squares + self.eps).rsqrt() * self.scale.view(-1, *(1,) * (x.dim() - 2))

    def _check_axes(self, bottom: Shape) -> None:
        if len(bottom) < 2:
            raise self.error(f"Number of axes of bottom blob must be >=2; its shape is {bottom}")
