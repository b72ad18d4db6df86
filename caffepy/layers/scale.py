"""Scale: the bottom times an array along some of its axes."""

import torch
from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.layers.span import spanned, spread
from caffepy.proto import FillerParameter, LayerParameter

FIELD = "scale_param"


@register("Scale")
class Scale(Layer):
    """y = s x, or y = s x + b with `bias_term`: s and b have some axes of x, the others repeat them.

    They span `num_axes` axes from `axis` on: -1 all that follow, 0 none, which makes them one number.
    With a second bottom s is that, and b has its shape: `num_axes` and `filler` then say nothing.

    Bottoms: x (*outer, *spanned, *inner); where given, s (*spanned), of any number of axes.
    Top:     y, of x's shape.
    Blobs:   s (*spanned), from 1 on unless a filler is given, if there is no second bottom;
             b (*spanned), from 0 on unless `bias_filler` is given, where `bias_term` is set.
    Source:  caffe/src/caffe/layers/scale_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape, *given: Shape) -> None:
        super().__init__(param, bottom, *given)
        scale = param.scale_param
        self.axis = scale.axis
        shape = given[0] if given else spanned(self, bottom, scale.axis, scale.num_axes, FIELD)
        filler = scale.filler if scale.HasField("filler") else FillerParameter(value=1)
        self.scale = None if given else self.filled(filler, shape, f"{FIELD}.filler")
        self.bias = (
            self.filled(scale.bias_filler, shape, f"{FIELD}.bias_filler")
            if scale.bias_term
            else None
        )

    def forward(self, x: Tensor, *given: Tensor) -> Tensor:
        shape = tuple(x.shape)
        scale = given[0] if self.scale is None else self.scale
        scale = spread(self, scale, shape, self.axis, FIELD)
        if self.bias is None:
            return x * scale
        return torch.addcmul(spread(self, self.bias, shape, self.axis, FIELD), x, scale)
