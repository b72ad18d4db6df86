"""In which order a collection is gone through, epoch after epoch."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


class Order:
    """The places of a collection of `count` items, epoch after epoch.

    seed: each epoch has an order of its own, which is drawn from (seed, epoch) alone, so that it is
    the same whenever it is asked for; None keeps to the collection's.
    """

    def __init__(self, count: int, seed: int | None) -> None:
        self.count = count
        self.seed = None if seed is None else seed % 2**64  # NumPy refuses negative seeds
        self._drawn = lru_cache(maxsize=1)(self._draw)

    def places(self, start: int, step: int) -> Iterator[int]:
        """Where every `step`th item from number `start` on is; without end."""
        number = start
        while True:
            epoch, place = divmod(number, self.count)
            yield int(self._drawn(epoch)[place])
            number += step

    def _draw(self, epoch: int) -> Sequence[int] | NDArray[np.intp]:
        if self.seed is None:
            return range(self.count)
        return np.random.default_rng((self.seed, epoch)).permutation(self.count)
