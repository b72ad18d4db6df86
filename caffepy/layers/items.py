"""Bottoms that belong together item by item: what is along their first axis."""

import math

from caffepy.layers.layer import Layer, Shape


def require_same_items(layer: Layer, *bottoms: Shape) -> None:
    """Raise LayerError unless the bottoms have one length along the first axis, the items."""
    first = bottoms[0]
    for index, bottom in enumerate(bottoms):
        if not bottom:
            raise layer.error(f"bottom {index} is a single number, a bottom of items is needed")
        if bottom[0] != first[0]:
            raise layer.error(
                f"bottom 0 of shape {first} and bottom {index} of shape {bottom} differ in their "
                "first axis, the items"
            )


def require_same_dimension(layer: Layer, *bottoms: Shape) -> None:
    """Raise LayerError unless the bottoms have as many items, and as many numbers in each.

    (2, 3, 4) and (2, 12) are alike so.
    """
    require_same_items(layer, *bottoms)
    sizes = [math.prod(bottom[1:]) for bottom in bottoms]
    for index, size in enumerate(sizes):
        if size != sizes[0]:
            raise layer.error(
                f"Inputs must have the same dimension. Bottom 0 of shape {bottoms[0]} has "
                f"{sizes[0]} numbers an item, bottom {index} of shape {bottoms[index]} has {size}"
            )
