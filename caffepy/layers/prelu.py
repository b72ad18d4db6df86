"""PReLU: the rectifier whose negative slope is learned."""

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import FillerParameter, LayerParameter

UNSET = FillerParameter(type="constant", value=0.25)


@register("PReLU")
class PReLU(Layer):
    """y = max(x, 0) + slope min(x, 0), a slope a channel; the gradient at 0 is the slope.

    Bottom:  x (N, C, ...), at least these two axes.
    Top:     y, of x's shape.
    Blobs:   slope (C,), or () where `channel_shared` is set: one for all; 0.25 without a filler.
    Source:  caffe/src/caffe/layers/prelu_layer.cpp; He et al., "Delving deep into rectifiers".
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        prelu = param.prelu_param
        self._require_axes(bottom)
        filler = prelu.filler if prelu.HasField("filler") else UNSET
        shape = () if prelu.channel_shared else bottom[1:2]
        self.slope = self.filled(filler, shape, "prelu_param.filler")

    def forward(self, x: Tensor) -> Tensor:
        shape = tuple(x.shape)
        self._require_axes(shape)
        if self.slope.dim() and shape[1] != len(self.slope):
            raise self.error(
                f"the bottom's shape {shape} has {shape[1]} channels on axis 1, the slopes are for "
                f"{len(self.slope)}"
            )
        return F.prelu(x, self.slope)

    def _require_axes(self, bottom: Shape) -> None:
        if len(bottom) < 2:
            raise self.error(
                "Number of axes of bottom blob must be >=2, with the channels on axis 1; the "
                f"bottom's shape is {bottom}"
            )
