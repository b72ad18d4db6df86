"""DepthwiseConvolution: a filter for each channel."""

from torch import Tensor

from caffepy.layers.convolution import (
    Layout,
    convolve,
    fill_filters,
    read_layout,
    require_room,
)
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


def read_depthwise(layer: Layer, bottom: Shape) -> Layout:
    """The layout of one filter a channel; LayerError where the message wants another number."""
    conv = layer.param.convolution_param
    layout = read_layout(layer, bottom)
    for field, given in (("num_output", conv.num_output), ("group", conv.group)):
        if conv.HasField(field) and given != layout.channels:
            text = f"{field} is {given}, must be {layout.channels}, as many as the bottom has"
            raise layer.error(f"{text} channels, or left out", f"convolution_param.{field}")
    return layout


@register("DepthwiseConvolution")
class DepthwiseConvolution(Layer):
    """Convolution of each channel with a filter of its own, plus a bias.

    The same blobs as a Convolution's whose `group` and `num_output` are the number of channels,
    which they may say here too.

    Bottoms: x (*outer, C, *spatial), C at `axis`, with up to 3 spatial axes; all of one shape.
    Tops:    y (*outer, C, *out), one a bottom, out as for Convolution.
    Blobs:   weight (C, 1, *kernel); bias (C,) where `bias_term` is set. Both start at 0 unless a
             filler is given.
    Source:  depthwise_conv_layer.cpp of the package of that name for MobileNet; Howard et al.,
             "MobileNets: efficient convolutional neural networks for mobile vision applications".
    """

    def __init__(self, param: LayerParameter, *bottoms: Shape) -> None:
        super().__init__(param, *bottoms)
        self.layout = read_depthwise(self, bottoms[0])
        channels = self.layout.channels
        shape = (channels, 1, *self.layout.geometry.kernel)
        self.weight, self.bias = fill_filters(self, shape, channels)

    def forward(self, *bottoms: Tensor) -> Tensor | tuple[Tensor, ...]:
        spatial = self.layout.require(self, *bottoms)
        require_room(self, self.layout.geometry, spatial)
        return convolve(bottoms, self.weight, self.bias, self.layout, self.layout.channels)
