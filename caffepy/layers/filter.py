"""Filter: the items that a selector picks."""

from collections.abc import Sequence

from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("Filter")
class Filter(Layer):
    """The items of each bottom whose entry in the last bottom, the selector, is not 0.

    Items that are left out get zeros for a gradient, the selector none. Where nothing is selected
    the tops have no items, and no gradient comes back. How many there are depends on the selector's
    values, so that a net with this layer cannot be exported, and is built as if all were selected.

    Bottoms: one or more x (N, *item); the selector (N, 1, ...).
    Tops:    y (count of entries that are not 0, *item), one for each x.
    Source:  caffe/src/caffe/layers/filter_layer.cpp
    """

    def __init__(self, param: LayerParameter, *bottoms: Shape) -> None:
        super().__init__(param, *bottoms)
        if len(param.top) != len(bottoms) - 1:
            text = f"{len(param.top)} tops for {len(bottoms)} bottoms: must be one for each bottom"
            raise self.error(f"{text} but the last, which selects", "top")

    def forward(self, *bottoms: Tensor) -> tuple[Tensor, ...]:
        self._require_items([tuple(bottom.shape) for bottom in bottoms])
        *items, selector = bottoms
        selected = selector.flatten().nonzero().squeeze(1)
        return tuple(x.index_select(0, selected) for x in items)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        """The shapes of the tops if everything is selected."""
        self._require_items(bottoms)
        return list(bottoms[:-1])

    def _require_items(self, shapes: Sequence[Shape]) -> None:
        *items, selector = shapes
        if selector[1:] != (1,) * len(selector[1:]) or not selector:
            text = f"the selector's shape is {selector}: its axes must be 1 long, except the first"
            raise self.error(text)
        if any(shape[:1] != selector[:1] for shape in items):
            text = f"the bottoms have shapes {items}, must have {selector[0]} items each, as many"
            raise self.error(f"{text} as the selector")
