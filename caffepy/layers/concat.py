"""Concat: several blobs as one, end to end along an axis."""

import torch
from torch import Tensor

from caffepy.layers.axis import axis_from_front
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("Concat")
class Concat(Layer):
    """The bottoms one after the other along `axis`.

    Bottom:  one or more, equal in shape but for `axis`.
    Top:     of the same shape, with the sum of their sizes on `axis`.
    Source:  caffe/src/caffe/layers/concat_layer.cpp
    """

    def __init__(self, param: LayerParameter, *bottoms: Shape) -> None:
        super().__init__(param, *bottoms)
        concat = param.concat_param
        if concat.HasField("axis") and concat.HasField("concat_dim"):
            text = "axis and concat_dim are both set, which mean the same: give only axis"
            raise self.error(text, "concat_param.concat_dim")
        legacy = concat.HasField("concat_dim")
        axis, field = (concat.concat_dim, "concat_dim") if legacy else (concat.axis, "axis")
        self.axis = axis_from_front(self, axis, bottoms[0], f"concat_param.{field}")

    def forward(self, *bottoms: Tensor) -> Tensor:
        shapes = [tuple(bottom.shape) for bottom in bottoms]
        rests = {(*shape[: self.axis], *shape[self.axis + 1 :]) for shape in shapes}
        if len(rests) > 1 or len({len(shape) for shape in shapes}) > 1:
            raise self.error(f"the bottoms {shapes} differ on other axes than axis {self.axis}")
        return torch.cat(bottoms, self.axis)
