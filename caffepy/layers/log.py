"""Log: the logarithm to a base."""

import math

from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.layers.line import line
from caffepy.proto import LayerParameter

NATURAL = -1  # the `base` that stands for e


def log_of(layer: Layer, base: float, field: str) -> float:
    """The natural logarithm of a base, 1 for -1; LayerError unless the base is a positive number."""
    if base != NATURAL and not 0 < base < math.inf:
        raise layer.error(f"base is {base:g}, must be above 0 and finite, or -1 for e", field)
    return 1.0 if base == NATURAL else math.log(base)


@register("Log")
class Log(Layer):
    """y = log(shift + scale x) to the base `base`; a base of -1, the default, is e.

    The logarithm of 0 is -inf, that of a negative number NaN.

    Bottom:  x, of any shape.
    Top:     y, of the same shape.
    Source:  caffe/src/caffe/layers/log_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        log = param.log_param
        log_base = log_of(self, log.base, "log_param.base")
        if log_base == 0:
            raise self.error("base is 1, to which there are no logarithms", "log_param.base")
        self.factor = 1 / log_base
        self.scale, self.shift = log.scale, log.shift

    def forward(self, x: Tensor) -> Tensor:
        y = line(x, self.scale, self.shift).log()
        return y if self.factor == 1 else y * self.factor
