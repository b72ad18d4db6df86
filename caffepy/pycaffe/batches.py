"""Any number of items, in the batches that a net takes."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from caffepy.blob import Floats

Items = NDArray[np.generic]


def batches(blobs: Mapping[str, ArrayLike], size: int) -> Iterator[dict[str, Items]]:
    """Every `size` items of each blob; the last batch is filled up with zeros.

    Args:
        blobs: items by blob name, as many of each; none gives no batch.
        size: how many items a batch has.

    Raises:
        ValueError: blobs with different numbers of items.
    """
    items = {name: np.asarray(blob) for name, blob in blobs.items()}
    counts = {name: len(blob) for name, blob in items.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"as many items of each blob are needed; given are {counts}")
    for start in range(0, count_of(items), size):
        yield {name: _filled(blob[start : start + size], size) for name, blob in items.items()}


def count_of(blobs: Mapping[str, ArrayLike]) -> int:
    """How many items the blobs have."""
    return max((len(np.asarray(blob)) for blob in blobs.values()), default=0)


def joined(parts: Mapping[str, list[Floats]], count: int) -> dict[str, Floats]:
    """By name, what came of all batches as one array, without the items that filled up the last.

    A blob whose first axis is not that of the items, such as a loss, keeps a number a batch.
    """
    whole = {
        name: np.concatenate([np.atleast_1d(part) for part in blob]) for name, blob in parts.items()
    }
    return {name: blob[:count] for name, blob in whole.items()}


def _filled(items: Items, size: int) -> Items:
    missing = size - len(items)
    if not missing:
        return items
    return np.concatenate([items, np.zeros((missing, *items.shape[1:]), items.dtype)])
