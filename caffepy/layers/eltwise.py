"""Eltwise: the sum, product or maximum of several blobs."""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import EltwiseParameter, LayerParameter

logger = logging.getLogger(__name__)


@register("Eltwise")
class Eltwise(Layer):
    """Element by element: the sum, each bottom times its `coeff`; the product; or the maximum.

    Of equal maxima, the second bottom's counts before the first's, and these two before any other:
    that bottom alone gets the gradient. `stable_prod_grad` makes no difference: a product's gradient
    is that of the other factors, also where a factor is 0. MAX does nothing with `coeff`.

    Bottoms: two or more, of one shape.
    Top:     y, of that shape.
    Source:  caffe/src/caffe/layers/eltwise_layer.cpp
    """

    def __init__(self, param: LayerParameter, *bottoms: Shape) -> None:
        super().__init__(param, *bottoms)
        eltwise = param.eltwise_param
        self.combine = COMBINE[eltwise.operation]
        if eltwise.coeff and eltwise.operation == EltwiseParameter.PROD:
            text = "coeff is set, but a product takes none; only SUM does"
            raise self.error(text, "eltwise_param.coeff")
        if len(eltwise.coeff) not in {0, len(bottoms)}:
            text = f"{len(eltwise.coeff)} coeffs for {len(bottoms)} bottoms: give one for each, or"
            raise self.error(f"{text} none", "eltwise_param.coeff")
        if eltwise.coeff and eltwise.operation == EltwiseParameter.MAX:
            logger.warning("layer %r: coeff does nothing with MAX, as in Caffe", param.name)
        self.coeffs = tuple(eltwise.coeff) or (1.0,) * len(bottoms)

    def forward(self, *bottoms: Tensor) -> Tensor:
        shapes = [tuple(bottom.shape) for bottom in bottoms]
        if len(set(shapes)) > 1:
            raise self.error(f"the bottoms must have one shape, they have {shapes}")
        return self.combine(bottoms, self.coeffs)


def add(bottoms: Sequence[Tensor], coeffs: Sequence[float]) -> Tensor:
    """The sum of the bottoms, each times its coefficient."""
    total = bottoms[0] if coeffs[0] == 1 else coeffs[0] * bottoms[0]
    for bottom, coeff in zip(bottoms[1:], coeffs[1:], strict=True):
        # to turn a gradient's sign takes less than to multiply it by -1
        total = total - bottom if coeff == -1 else torch.add(total, bottom, alpha=coeff)
    return total


def multiply(bottoms: Sequence[Tensor], _coeffs: Sequence[float]) -> Tensor:
    """The product of the bottoms."""
    product = bottoms[0]
    for bottom in bottoms[1:]:
        product = product * bottom
    return product


def maximum(bottoms: Sequence[Tensor], _coeffs: Sequence[float]) -> Tensor:
    """The largest, found as Caffe finds it: the first must be above the second, others above both."""
    first, largest, *others = bottoms
    largest = torch.where(first > largest, first, largest)
    for other in others:
        largest = torch.where(other > largest, other, largest)
    return largest


COMBINE = {
    EltwiseParameter.SUM: add,
    EltwiseParameter.PROD: multiply,
    EltwiseParameter.MAX: maximum,
}
