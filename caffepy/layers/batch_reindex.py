"""BatchReindex: items picked by their numbers."""

from torch import Tensor

from caffepy.layers.bounds import require_within
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("BatchReindex")
class BatchReindex(Layer):
    """y[i] = x[index[i]]; an item gets the sum of the gradients of its copies, the index none.

    Bottoms: x (N, *item); index (M,), whole numbers in 0 to N - 1, in any order and number.
    Top:     y (M, *item).
    Source:  caffe/src/caffe/layers/batch_reindex_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape, index: Shape) -> None:
        super().__init__(param, bottom, index)
        if not bottom:
            raise self.error("the first bottom must have an axis of items, it has no axes")

    def check(self, *bottoms: Tensor) -> None:
        """Raise LayerError for an index that is no item's."""
        x, index = bottoms
        require_within(self, index, len(x), "the items of the first bottom")

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        if index.dim() != 1:
            raise self.error(f"the index must have one axis, its shape is {tuple(index.shape)}")
        return x.index_select(0, index.long())
