"""Crop: a blob cut to the size of another."""

from torch import Tensor

from caffepy.layers.axis import axis_from_front
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("Crop")
class Crop(Layer):
    """The part of the first bottom that has the size of the second, from `axis` on.

    It begins at `offset`: 0, one number for all axes cut, or one for each. What is cut off gets no
    gradient, and neither does the second bottom.

    Bottoms: x; another of as many axes or more, that has no more elements on those that are cut.
    Top:     y, of x's sizes before `axis` and the other's from there on.
    Source:  caffe/src/caffe/layers/crop_layer.cpp; Caffe takes several offsets only where `axis`
             counts from the front.
    """

    def __init__(self, param: LayerParameter, bottom: Shape, reference: Shape) -> None:
        super().__init__(param, bottom, reference)
        crop = param.crop_param
        self.dims = len(bottom)
        self.axis = axis_from_front(self, crop.axis, bottom, "crop_param.axis")
        axes = self.dims - self.axis
        if len(crop.offset) not in {0, 1, axes}:
            text = f"{len(crop.offset)} offsets for the {axes} axes from axis {self.axis} on: give"
            raise self.error(
                f"{text} none, one for all of them or one for each", "crop_param.offset"
            )
        self.offsets = tuple(crop.offset) if len(crop.offset) > 1 else (sum(crop.offset),) * axes

    def forward(self, x: Tensor, reference: Tensor) -> Tensor:
        given, wanted = tuple(x.shape), tuple(reference.shape)
        if len(given) != self.dims or len(wanted) < self.dims:
            text = f"the bottoms have the shapes {given} and {wanted}, must have {self.dims} axes"
            raise self.error(text)
        cuts = [slice(None)] * self.axis
        for axis, offset in enumerate(self.offsets, self.axis):
            if offset + wanted[axis] > given[axis]:
                raise self.error(
                    f"the crop for dimension {axis} is out of bounds: {wanted[axis]} elements from "
                    f"{offset} on are wanted, the bottom {given} has {given[axis]}",
                    "crop_param.offset",
                )
            cuts.append(slice(offset, offset + wanted[axis]))
        return x[tuple(cuts)]
