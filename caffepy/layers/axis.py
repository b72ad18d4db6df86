"""Axes as prototxts give them: from the front, or negative from the back."""

from caffepy.layers.layer import Layer, Shape


def axis_from_front(layer: Layer, axis: int, bottom: Shape, field: str) -> int:
    """The same axis counted from the front: -1 of a bottom (2, 3, 4) is 2.

    Raises LayerError, blaming `field`, where the bottom has no such axis.
    """
    rank = len(bottom)
    if rank == 0:
        raise layer.error(
            f"{field} is {axis}, but the bottom is a single number, without axes", field
        )
    if not -rank <= axis < rank:
        raise layer.error(
            f"{field} is {axis}, but the bottom {bottom} has {rank} axes: "
            f"{-rank} to {rank - 1} are allowed",
            field,
        )
    return axis % rank
