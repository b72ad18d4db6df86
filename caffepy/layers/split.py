"""Split: one blob for several readers."""

from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("Split")
class Split(Layer):
    """The bottom, once for each top; the bottom's gradient is the sum of the tops' gradients.

    Bottom:  x, of any shape.
    Top:     one or more, each the very tensor x: nothing is copied.
    Source:  caffe/src/caffe/layers/split_layer.cpp
    """

    def __init__(self, param: LayerParameter, _bottom: Shape) -> None:
        super().__init__(param)
        self.count = len(param.top)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (x,) * self.count
