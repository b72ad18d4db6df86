"""Deconvolution: what convolution does to gradients, as a layer."""

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.convolution import (
    Layout,
    fill_filters,
    over_bottoms,
    read_layout,
    require_groups,
)
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter

SPREAD = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@register("Deconvolution")
class Deconvolution(Layer):
    """Transposed convolution: each element adds its multiple of a filter to the top, plus a bias.

    Bottoms: x (*outer, C, *spatial), C at `axis`, with up to 3 spatial axes; all of one shape.
    Tops:    y (*outer, num_output, *out), one a bottom; on each spatial axis
             out = stride (in - 1) + extent - 2 pad, extent = dilation (kernel - 1) + 1.
    Blobs:   weight (C, num_output / group, *kernel); bias (num_output,) where `bias_term` is set.
             Both start at 0 unless a filler is given.
    Source:  caffe/src/caffe/layers/base_conv_layer.cpp, deconv_layer.cpp
    """

    def __init__(self, param: LayerParameter, *bottoms: Shape) -> None:
        super().__init__(param, *bottoms)
        conv = param.convolution_param
        self.layout = read_layout(self, bottoms[0])
        self.group = conv.group
        require_groups(self, self.layout.channels)
        depth = conv.num_output // conv.group
        shape = (self.layout.channels, depth, *self.layout.geometry.kernel)
        self.weight, self.bias = fill_filters(self, shape, conv.num_output)

    def forward(self, *bottoms: Tensor) -> Tensor | tuple[Tensor, ...]:
        spatial = self.layout.require(self, *bottoms)
        require_output(self, self.layout, spatial)
        return over_bottoms(self._spread, bottoms, self.layout.axis)

    def _spread(self, x: Tensor) -> Tensor:
        kernel, stride, pad, dilation = self.layout.geometry
        if not kernel:
            x, weight = x.unsqueeze(-1), self.weight.unsqueeze(-1)
            return F.conv_transpose1d(x, weight, self.bias, groups=self.group).squeeze(-1)
        spread = SPREAD[len(kernel)]
        return spread(x, self.weight, self.bias, stride, pad, 0, self.group, dilation)


def require_output(layer: Layer, layout: Layout, spatial: Shape) -> None:
    """Raise LayerError where the padding leaves nothing of the top."""
    geometry = layout.geometry
    sizes = tuple(
        stride * (n - 1) + extent - 2 * pad
        for n, stride, extent, pad in zip(
            spatial, geometry.stride, geometry.extent, geometry.pad, strict=True
        )
    )
    if any(size < 1 for size in sizes):
        text = (
            f"a bottom of {spatial} would have a top of {sizes}: the pad, {geometry.pad}, must be"
        )
        raise layer.error(f"{text} smaller", "convolution_param.pad")
