"""Arrays that span some axes of a bottom, as Scale's and Bias's do."""

from torch import Tensor

from caffepy.layers.axis import axis_from_front
from caffepy.layers.layer import Layer, Shape


def spanned(layer: Layer, bottom: Shape, axis: int, num_axes: int, field: str) -> Shape:
    """The sizes of `num_axes` axes of the bottom from `axis` on; -1: of all that follow, 0: none.

    Raises LayerError, blaming a field of the layer's message `field`, where there are not so many.
    """
    if num_axes < -1:
        text = f"{field}.num_axes is {num_axes}, must be non-negative, or -1 to extend to the end"
        raise layer.error(f"{text} of the bottom", f"{field}.num_axes")
    start = axis_from_front(layer, axis, bottom, f"{field}.axis")
    if num_axes == -1:
        return bottom[start:]
    if start + num_axes > len(bottom):
        text = f"{field}.num_axes is {num_axes}, but from axis {start} on the bottom {bottom}"
        raise layer.error(f"{text} has {len(bottom) - start}", f"{field}.num_axes")
    return bottom[start : start + num_axes]


def spread(layer: Layer, array: Tensor, bottom: Shape, axis: int, field: str) -> Tensor:
    """The array, viewed so that torch broadcasts it over the bottom's axes from `axis` on.

    One without axes goes everywhere. Raises LayerError, blaming a field of the layer's message
    `field`, where its sizes are not the bottom's.
    """
    shape = tuple(array.shape)
    if not shape:
        return array
    start = axis_from_front(layer, axis, bottom, f"{field}.axis")
    found = bottom[start : start + len(shape)]
    if found != shape:
        what = "extends past" if len(found) < len(shape) else "is not that part of"
        raise layer.error(
            f"an array of shape {shape}, laid on from axis {start}, {what} the bottom, "
            f"whose shape is {bottom}: there it must be {found}",
            f"{field}.axis",
        )
    return array.reshape(*shape, *(1,) * (len(bottom) - start - len(shape)))
