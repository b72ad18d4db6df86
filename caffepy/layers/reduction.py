"""Reduction: one number out of many."""

from torch import Tensor

from caffepy.layers.axis import axis_from_front
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter, ReductionParameter


@register("Reduction")
class Reduction(Layer):
    """`coeff` times the sum, by `operation`, of each item's numbers; an item begins at `axis`.

    SUM adds the numbers, ASUM their absolute values, SUMSQ their squares; MEAN is their mean. The
    gradient of ASUM at 0 is 0.

    Bottom:  x (*outer, *inner), split at `axis` (0: all is one item).
    Top:     y (*outer,).
    Source:  caffe/src/caffe/layers/reduction_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        reduction = param.reduction_param
        self.operation = reduction.operation
        self.axis = reduction.axis
        self.coeff = reduction.coeff
        self._inner(bottom)

    def forward(self, x: Tensor) -> Tensor:
        inner = self._inner(tuple(x.shape))
        match self.operation:
            case ReductionParameter.MEAN:
                y = x.mean(inner)
            case ReductionParameter.ASUM:
                y = x.abs().sum(inner)
            case ReductionParameter.SUMSQ:
                y = x.square().sum(inner)
            case _:
                y = x.sum(inner)
        return y if self.coeff == 1 else y * self.coeff

    def _inner(self, bottom: Shape) -> Shape:
        """The axes of an item."""
        axis = axis_from_front(self, self.axis, bottom, "reduction_param.axis")
        return tuple(range(axis, len(bottom)))
