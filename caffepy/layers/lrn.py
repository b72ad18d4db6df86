"""LRN: every number damped by the squares of its neighbours."""

from typing import cast

import torch
from torch import Tensor

from caffepy.layers.damping import AcrossChannels, Damping, across_channels, within_channel
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter, LRNParameter


@register("LRN")
class LRN(Layer):
    """y = x s^-beta, s = k + alpha / count * the sum of x^2 over a region of `count` numbers.

    ACROSS_CHANNELS: the region is `local_size` channels of the same pixel, x's own in the middle;
    count is local_size. WITHIN_CHANNEL: the square of local_size pixels to a side in the same
    channel, count is local_size^2, and k is 1 whatever `k` says. Beyond the edges x is 0, and
    counts. Gradients of gradients are refused for ACROSS_CHANNELS.

    Bottom:  x (N, C, H, W).
    Top:     y, of the same shape.
    Source:  caffe/src/caffe/layers/lrn_layer.cpp; every `engine` is taken and means the same.
             Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional
             neural networks", where alpha is not divided by count.
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        lrn = param.lrn_param
        size = lrn.local_size
        if size % 2 == 0:
            text = f"local_size is {size}, must be odd: as many on either side of the middle"
            raise self.error(text, "lrn_param.local_size")
        self.across = lrn.norm_region == LRNParameter.ACROSS_CHANNELS
        count, k = (size, lrn.k) if self.across else (size * size, 1.0)
        self.damping = Damping(size, lrn.alpha / count, lrn.beta, k)

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 4:
            text = "Input must have 4 axes, corresponding to (num, channels, height, width)"
            raise self.error(f"{text}; the bottom's shape is {tuple(x.shape)}")
        if not self.across:
            return within_channel(x, self.damping)
        if torch.compiler.is_compiling():
            return across_channels(x, self.damping)
        return cast("Tensor", AcrossChannels.apply(x, self.damping))
