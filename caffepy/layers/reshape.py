"""Reshape: the same numbers in another shape."""

import math

from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("Reshape")
class Reshape(Layer):
    """The numbers of the bottom, in their order, with `shape` in the place of some of its axes.

    `num_axes` axes from `axis` on are replaced, all that follow where it is -1. A negative `axis`
    counts from the end, -1 standing behind the last axis, where there is nothing to replace. In
    `shape` a 0 takes the size of the bottom's axis in its place, and one -1 what is left.

    Bottom:  x, of any shape.
    Top:     y, of as many numbers.
    Source:  caffe/src/caffe/layers/reshape_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        reshape = param.reshape_param
        self.axis, self.num_axes = reshape.axis, reshape.num_axes
        self.dims = tuple(reshape.shape.dim)
        if min(self.dims, default=0) < -1 or self.dims.count(-1) > 1:
            text = f"shape is {self.dims}, must be sizes, 0 to copy one, and at most a single -1"
            raise self.error(f"{text} to infer one", "reshape_param.shape")
        self._top(bottom)

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(self._top(tuple(x.shape)))

    def _top(self, bottom: Shape) -> Shape:
        """The top's shape."""
        start, end = self._replaced(bottom)
        copied = bottom[start:]
        if any(dim == 0 and i >= len(copied) for i, dim in enumerate(self.dims)):
            text = f"shape {self.dims} has a 0 in the place of an axis that the bottom {bottom}"
            raise self.error(f"{text} does not have", "reshape_param.shape")
        dims = tuple(copied[i] if dim == 0 else dim for i, dim in enumerate(self.dims))
        top = (*bottom[:start], *dims, *bottom[end:])
        infer, count = -1 in dims, math.prod(bottom)
        known = math.prod([dim for dim in top if dim != -1])
        if not (known > 0 and count % known == 0 if infer else count == known):
            raise self.error(
                f"output count must match input count: the bottom {bottom} has {count} numbers, "
                f"the top {top} would have {'a multiple of ' if infer else ''}{known}",
                "reshape_param.shape",
            )
        return tuple(count // known if dim == -1 else dim for dim in top)

    def _replaced(self, bottom: Shape) -> tuple[int, int]:
        """The first axis of the bottom that is replaced, and the first behind it that is not."""
        rank = len(bottom)
        if not -rank - 1 <= self.axis <= rank:
            raise self.error(
                f"reshape_param.axis is {self.axis}, but the bottom {bottom} has {rank} axes: "
                f"{-rank - 1} to {rank} are allowed",
                "reshape_param.axis",
            )
        start = self.axis % (rank + 1)
        if not -1 <= self.num_axes <= rank - start:
            raise self.error(
                f"num_axes is {self.num_axes}, but the bottom {bottom} has {rank - start} axes "
                f"from axis {start} on: 0 to {rank - start} are allowed, or -1 for all",
                "reshape_param.num_axes",
            )
        return start, rank if self.num_axes == -1 else start + self.num_axes
