"""ConvolutionDepthwise: DepthwiseConvolution under another name."""

from torch import Tensor

from caffepy.layers.depthwise_convolution import DepthwiseConvolution
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("ConvolutionDepthwise")
class ConvolutionDepthwise(Layer):
    """DepthwiseConvolution, as another package for MobileNet calls it.

    Bottoms: x (*outer, C, *spatial), C at `axis`, with up to 3 spatial axes; all of one shape.
    Tops:    y (*outer, C, *out), one a bottom, out as for Convolution.
    Blobs:   weight (C, 1, *kernel); bias (C,) where `bias_term` is set.
    Source:  conv_dw_layer.cpp of a change proposed to Caffe, "Depthwise convolution".
    """

    def __init__(self, param: LayerParameter, *bottoms: Shape) -> None:
        super().__init__(param, *bottoms)
        self.convolution = DepthwiseConvolution(param, *bottoms)

    def forward(self, *bottoms: Tensor) -> Tensor | tuple[Tensor, ...]:
        top: Tensor | tuple[Tensor, ...] = self.convolution(*bottoms)
        return top
