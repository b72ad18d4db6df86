"""Clip: numbers kept within a range."""

from typing import cast

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction, FunctionCtx

from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


class _Clamp(torch.autograd.Function):
    """x kept within two bounds; at these, torch's own clamp has no gradient in newer versions."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward((x >= low) & (x <= high))
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: BackwardCFunction, gradient: Tensor) -> tuple[Tensor, None, None]:
        (inside,) = ctx.saved_tensors
        return gradient * inside, None, None


@register("Clip")
class Clip(Layer):
    """y = x kept within `min` and `max`; the gradient is 1 from one to the other, both included.

    NaN stays NaN.

    Bottom:  x, of any shape.
    Top:     y, of the same shape.
    Source:  caffe/src/caffe/layers/clip_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        clip = param.clip_param
        if not (clip.HasField("min") and clip.HasField("max")):
            raise self.error("min or max is missing, both must be given", "clip_param")
        self.min, self.max = clip.min, clip.max
        if not self.min <= self.max:
            text = f"min is {self.min:g}, must be at most max, which is {self.max:g}"
            raise self.error(text, "clip_param.min")

    def forward(self, x: Tensor) -> Tensor:
        return cast("Tensor", _Clamp.apply(x, self.min, self.max))
