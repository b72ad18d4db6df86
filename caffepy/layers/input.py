"""Input: blobs that are filled from outside."""

import torch
from torch import Tensor

from caffepy.layers.layer import Shape, Source, SourceLayer, register
from caffepy.proto import LayerParameter


@register("Input")
class Input(SourceLayer):
    """Blobs whose values the caller gives; until then they are zeros.

    Top:     one or more, each of its own `shape`, or all of the only `shape`.
    Source:  caffe/src/caffe/layers/input_layer.cpp; a layer without `shape`, which Caffe lets be
             shaped later, can be made but not run.
    """

    def __init__(self, param: LayerParameter, source: Source) -> None:
        super().__init__(param, source)
        shapes: list[Shape] = [tuple(shape.dim) for shape in param.input_param.shape]
        if len(shapes) not in {0, 1, len(param.top)}:
            raise self.error(
                f"{len(shapes)} shapes for {len(param.top)} tops: give one shape for all of them, "
                "or one for each",
                "input_param.shape",
            )
        for shape in shapes:
            if any(dim < 0 for dim in shape):
                raise self.error(f"shape {shape} has a negative size", "input_param.shape")
        self.shapes = shapes * len(param.top) if len(shapes) == 1 else shapes

    def read(self) -> tuple[Tensor, ...]:
        return tuple(torch.zeros(shape, device=self.source.device) for shape in self.top_shapes())

    def constants(self) -> tuple[Tensor | None, ...]:
        return self.read()

    def top_shapes(self, *_bottoms: Shape) -> list[Shape]:
        """The shapes of the tops, from the message."""
        if not self.shapes:
            raise self.error("no shape is given for its tops", "input_param")
        return self.shapes
