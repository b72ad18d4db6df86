"""Images at other sizes, as OpenCV makes them."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (height, width, channels)

WORD = 4  # channels of pixels that are moved as one
SIZES = 64  # of images, of which the arithmetic of resizing is remembered


def resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """Bilinear, without antialiasing, pixel centres aligned: (H, W, C) to (height, width, C).

    In OpenCV's fixed point: 11 bits of weight, rows shortened to 15 bits between the two passes.
    """
    rows, columns, channels = pixels.shape
    used, place, weight = _used(rows, height)
    flat = np.ascontiguousarray(pixels).reshape(rows, -1)
    if len(used) < rows:
        flat = flat[used]
    lines = _shorten(flat, columns, width, channels).take(place, axis=0)

    both = np.multiply(lines, weight, dtype=np.int32)
    both >>= 16
    brightness = both[:height]
    brightness += both[height:]
    brightness += 2
    brightness >>= 2
    return brightness.astype(np.uint8).reshape(height, width, channels)


def _shorten(lines: Pixels, columns: int, width: int, channels: int) -> NDArray[np.int16]:
    """Rows of pixels, (n, columns * channels), to (n, width * channels): 128 times the brightness.

    (near (2048 - w) + far w) >> 4 is computed in 16 bits, twice as fast as in 32, as
    near 128 + (far - near) (w >> 4) + ((far - near) (w & 15) >> 4).
    """
    left, right, weight = _places(columns, width, channels)
    items = lines.view(np.uint32) if channels == WORD else lines
    near = items.take(left, axis=1).view(np.uint8).astype(np.int16)
    step = items.take(right, axis=1).view(np.uint8).astype(np.int16)
    step -= near
    near <<= 7
    near += step * (weight >> 4)
    step *= weight & 15
    step >>= 4
    near += step
    return near


@lru_cache(SIZES)
def _places(
    columns: int, width: int, channels: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int16]]:
    """Of each number of a new row: the two old ones around it, and the second's weight.

    A pixel of 4 channels is moved as one: of these the places count pixels.
    """
    left, right, weight = _neighbours(columns, width)
    size = 1 if channels == WORD else channels
    spread = [np.add.outer(at * size, np.arange(size)).ravel() for at in (left, right)]
    return spread[0], spread[1], np.repeat(weight, channels).astype(np.int16)


@lru_cache(SIZES)
def _used(rows: int, height: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32]]:
    """The old rows that count; among these the upper ones of all new rows, then the lower ones.

    And their weights, (2 height, 1), of 2048.
    """
    top, bottom, low = _neighbours(rows, height)
    used, place = np.unique(np.concatenate([top, bottom]), return_inverse=True)
    return used, place, np.concatenate([2048 - low, low])[:, None]


@lru_cache(SIZES)
def _neighbours(
    size: int, new_size: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32]]:
    """Of each new place: the two old places around it, and the second's weight, of 2048."""
    centre = ((np.arange(new_size) + 0.5) * (1 / (new_size / size)) - 0.5).astype(np.float32)
    before = np.floor(centre).astype(np.intp)
    share = (centre - before).astype(np.float32)
    share[(before < 0) | (before >= size - 1)] = 0
    before = before.clip(0, size - 1)
    return before, (before + 1).clip(0, size - 1), np.rint(share * 2048).astype(np.int32)
