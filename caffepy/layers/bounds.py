"""Blobs of numbers that say where: they must lie within what they point into."""

from torch import Tensor

from caffepy.layers.layer import Layer


def require_within(layer: Layer, places: Tensor, count: int, of: str) -> None:
    """Raise LayerError, naming the first, for a place that is not one of `count`.

    Fractions are cut off by whoever uses the places, but -0.5 is below 0. NaN is no place.
    """
    wrong = ~((places >= 0) & (places < count))
    if not wrong.any():
        return
    first = wrong.nonzero()[0].tolist()
    others = f" (and {int(wrong.sum()) - 1} more)" if wrong.sum() > 1 else ""
    raise layer.error(
        f"the index at {tuple(first)} is {places[tuple(first)].item():.9g}{others}; "
        f"allowed are 0 to {count - 1}, {of}"
    )
