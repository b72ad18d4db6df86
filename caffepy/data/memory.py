"""The memory of batches, used again when they are no more."""

import math
import weakref

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Memory:
    """Gives out tensors for batches, each in memory that no living tensor has.

    A batch of photographs is so many bytes that a new one's memory would be fetched from the system
    each time, a page after the other, which takes longer than filling it.
    """

    def __init__(self) -> None:
        self._free: list[NDArray[np.uint8]] = []

    def take(self, shape: tuple[int, ...]) -> Tensor:
        """A tensor of float32, not filled; its memory comes back when nobody sees it any more."""
        size = 4 * math.prod(shape)
        memory = self._free.pop() if self._free else np.empty(size, np.uint8)
        if memory.size != size:  # batches have changed: what was kept is too small, or too large
            memory = np.empty(size, np.uint8)
        lent = memory.view(np.float32).reshape(shape)
        weakref.finalize(lent, self._free.append, memory).atexit = False
        return torch.from_numpy(lent)
