"""Slice: one blob in several parts, cut along an axis."""

from itertools import pairwise

import torch
from torch import Tensor

from caffepy.layers.axis import axis_from_front
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("Slice")
class Slice(Layer):
    """The bottom cut along `axis`: at each `slice_point`, or into equal parts where there is none.

    Bottom:  x, of any shape that has `axis`.
    Tops:    one or more, of x's shape but on `axis`; nothing is copied.
    Source:  caffe/src/caffe/layers/slice_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        cut = param.slice_param
        if cut.HasField("axis") and cut.HasField("slice_dim"):
            text = "axis and slice_dim are both set, which mean the same: give only axis"
            raise self.error(text, "slice_param.slice_dim")
        legacy = cut.HasField("slice_dim")
        axis, field = (cut.slice_dim, "slice_dim") if legacy else (cut.axis, "axis")
        self.axis = axis_from_front(self, axis, bottom, f"slice_param.{field}")
        self.parts = len(param.top)
        self.points = tuple(cut.slice_point)
        if self.points and len(self.points) != self.parts - 1:
            raise self.error(
                f"{len(self.points)} slice_points for {self.parts} tops, must be one less than the "
                "tops, or none",
                "slice_param.slice_point",
            )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return torch.split(x, self._sizes(x.shape[self.axis]), self.axis)

    def _sizes(self, size: int) -> list[int]:
        """How long each top is along the axis."""
        place = f"axis {self.axis} of the bottom has {size}"
        if not self.points:
            if size % self.parts:
                text = f"{place}, which {self.parts} tops cannot share equally: give slice_point"
                raise self.error(text, "slice_param")
            return [size // self.parts] * self.parts
        sizes = [after - before for before, after in pairwise((0, *self.points, size))]
        if min(sizes) < 1:
            text = f"slice_point is {self.points}, must rise from 1 up to below the end: {place}"
            raise self.error(text, "slice_param.slice_point")
        return sizes
