"""Power: the input, scaled and shifted, to a power."""

import torch
from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.layers.line import line
from caffepy.proto import LayerParameter


@register("Power")
class Power(Layer):
    """y = (shift + scale x)^power, as C's pow: NaN for a negative base to a fractional power.

    Where `power` or `scale` is 0, y is shift^power whatever x is, with no gradient; power 0 gives 1.
    The gradient is the derivative also where the base is 0; Caffe's is NaN there unless the power
    is 1 or 2.

    Bottom:  x, of any shape.
    Top:     y, of the same shape.
    Source:  caffe/src/caffe/layers/power_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        power = param.power_param
        self.power, self.scale, self.shift = power.power, power.scale, power.shift

    def forward(self, x: Tensor) -> Tensor:
        if 0 in (self.power, self.scale):
            return torch.full_like(x, self.shift) ** self.power
        base = line(x, self.scale, self.shift)
        return base if self.power == 1 else base**self.power
