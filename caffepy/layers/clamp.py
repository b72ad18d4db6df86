"""Numbers cut off below, whose gradient goes on as if they were not."""

from typing import cast

import torch
from torch import Tensor


class _AtLeast(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: object, x: Tensor, low: float) -> Tensor:
        return x.clamp(min=low)

    @staticmethod
    def backward(_ctx: object, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


def at_least(x: Tensor, low: float) -> Tensor:
    """x, or `low` where that is more, with the gradient of x itself; NaN stays NaN.

    Caffe's losses bound what they report so, not what they learn from.
    """
    return cast("Tensor", _AtLeast.apply(x, low))
