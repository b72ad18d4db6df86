"""Bias: the bottom plus an array along some of its axes."""

from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.layers.span import spanned, spread
from caffepy.proto import LayerParameter

FIELD = "bias_param"


@register("Bias")
class Bias(Layer):
    """y = x + b: b has some axes of x, the others repeat it.

    It spans `num_axes` axes from `axis` on: -1 all that follow, 0 none, which makes it one number.
    With a second bottom b is that, and `num_axes` and `filler` say nothing.

    Bottoms: x (*outer, *spanned, *inner); where given, b (*spanned), of any number of axes.
    Top:     y, of x's shape.
    Blobs:   b (*spanned), from 0 on unless a filler is given, if there is no second bottom.
    Source:  caffe/src/caffe/layers/bias_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape, *given: Shape) -> None:
        super().__init__(param, bottom, *given)
        bias = param.bias_param
        self.axis = bias.axis
        self.bias = (
            None
            if given
            else self.filled(
                bias.filler,
                spanned(self, bottom, bias.axis, bias.num_axes, FIELD),
                f"{FIELD}.filler",
            )
        )

    def forward(self, x: Tensor, *given: Tensor) -> Tensor:
        bias = given[0] if self.bias is None else self.bias
        return x + spread(self, bias, tuple(x.shape), self.axis, FIELD)
