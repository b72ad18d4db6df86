"""ArgMax: where the largest numbers are."""

import math

import torch
from torch import Tensor

from caffepy.layers.axis import axis_from_front
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter

BEYOND_FLOAT32 = 2.0**200


def largest(x: Tensor, axis: int, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest numbers along an axis, the largest first, and their indices, int64.

    Numbers are told apart as float32; of equal ones the last comes first. Both results have x's
    shape, with `count` at `axis`.
    """
    if count == 1:
        values, indices = x.flip(axis).max(axis, keepdim=True)
        return values, x.shape[axis] - 1 - indices
    values, indices = x.topk(min(count + 1, x.shape[axis]), axis)
    if x.is_meta or differ(values, axis):  # on the meta device shapes are all there is
        return values.narrow(axis, 0, count), indices.narrow(axis, 0, count)
    indices = numbered(x, axis).topk(count, axis)[1]
    return x.gather(axis, indices), indices


def differ(values: Tensor, axis: int) -> bool:
    """Whether of numbers that fall along an axis no two are equal, and none is NaN."""
    count = values.shape[axis] - 1
    above, below = values.narrow(axis, 0, count), values.narrow(axis, 1, count)
    return bool((above.float() > below.float()).all())


def numbered(x: Tensor, axis: int) -> Tensor:
    """x in double, where the index along the axis stands in the bits that float32 has not.

    So a larger index makes a number larger by less than float32 can tell, and none are equal. The
    bits of an infinity would become a NaN's, so it counts as a number beyond float32's.
    """
    last = x.shape[axis] - 1
    index = torch.arange(last + 1, device=x.device).view(-1, *(1,) * (x.dim() - 1 - axis % x.dim()))
    bits = (x.float().double() + 0.0).clamp(-BEYOND_FLOAT32, BEYOND_FLOAT32).view(torch.int64)
    return (bits | torch.where(bits < 0, last - index, index)).view(torch.double)


@register("ArgMax")
class ArgMax(Layer):
    """The indices, or the values, of the `top_k` largest numbers, the largest first.

    Of equal numbers the one with the larger index comes first. The bottom gets no gradient.

    Bottom:  x (N, ...).
    Top:     with `axis`: x's shape with top_k at `axis`, the indices along it or, where
             `out_max_val` is set, the values; without: (N, 1, top_k), the indices in the flattened
             item, or (N, 2, top_k) where `out_max_val` is set, the values behind the indices,
             followed by axes of 1 up to the bottom's number of axes.
    Source:  caffe/src/caffe/layers/argmax_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        argmax = param.argmax_param
        self.axis = argmax.axis if argmax.HasField("axis") else None
        self.top_k = argmax.top_k
        self.out_max_val = argmax.out_max_val
        self._require_shape(bottom)

    def forward(self, x: Tensor) -> Tensor:
        x, shape = x.detach(), tuple(x.shape)
        self._require_shape(shape)
        index_dtype = torch.promote_types(x.dtype, torch.float32)
        if self.axis is not None:
            values, indices = largest(x, self.axis, self.top_k)
            return values if self.out_max_val else indices.to(index_dtype)
        items = x.reshape(shape[0], math.prod(shape[1:]))
        values, indices = largest(items, 1, self.top_k)
        planes = [indices.to(index_dtype), values.to(index_dtype)][: 1 + self.out_max_val]
        ones = (1,) * (len(shape) - 3)
        return torch.stack(planes, 1).reshape(shape[0], len(planes), self.top_k, *ones)

    def _require_shape(self, bottom: Shape) -> None:
        if not bottom:
            raise self.error(
                f"the bottom's shape is {bottom}, must have an axis, that of the items"
            )
        if self.axis is None:
            size, where = math.prod(bottom[1:]), "in an item"
        else:
            axis = axis_from_front(self, self.axis, bottom, "argmax_param.axis")
            size, where = bottom[axis], f"along axis {axis}"
        if not 1 <= self.top_k <= size:
            raise self.error(
                f"top_k is {self.top_k}, but the bottom {bottom} has {size} numbers {where}: "
                f"1 to {size} are allowed",
                "argmax_param.top_k",
            )
