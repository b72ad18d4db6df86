"""Images at other sizes, as OpenCV makes them."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (height, width, channels)

COLOURS = 3
PLACES = 16, 8, 0, 24  # bits of a word below its blue, green, red and alpha
WORD = 4  # bytes of a pixel that is moved as one
SIZES = 64  # of images, of which the arithmetic of resizing is remembered


def resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """Bilinear, without antialiasing, pixel centres aligned: (H, W, C) to (height, width, C).

    In OpenCV's fixed point: 11 bits of weight, rows shortened to 15 bits between the two passes.
    The result lies in memory row by row, and each row channel by channel.
    """
    rows, columns, channels = pixels.shape
    flat = np.ascontiguousarray(pixels).reshape(rows, -1)
    left, right, weight = _numbers(columns, width, channels)
    brightness = _resize(flat, height, left, right, weight)
    return brightness.reshape(height, channels, width).swapaxes(1, 2)


def resize_words(words: NDArray[np.uint32], height: int, width: int) -> Pixels:
    """`resize` of pixels (H, W), red in their lowest byte, to blue, green, red; for large images."""
    left, right, weight = _neighbours(words.shape[1], width)
    weights = np.repeat(weight, WORD).astype(np.int16)
    resized = _resize(words, height, left, right, weights).view(np.uint32)
    planes = np.empty((height, COLOURS, width), np.uint8)
    separate(resized, planes.swapaxes(0, 1))
    return planes.swapaxes(1, 2)


def separate(words: NDArray[np.uint32], planes: Pixels) -> None:
    """Pixels (H, W), red in their lowest byte, to planes (3 or 4, H, W): blue, green, red, alpha."""
    for plane, place in zip(planes, PLACES[: len(planes)], strict=True):
        np.copyto(plane, words >> np.uint32(place), casting="unsafe")


def _resize(
    items: NDArray[np.uint8] | NDArray[np.uint32],
    height: int,
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    weight: NDArray[np.int16],
) -> Pixels:
    """Rows of items of bytes, (H, n), to (height, bytes): of each, the two around it, mixed.

    left, right: where in a row a new one's items come from; weight: its bytes' of the right one.
    """
    used, place, low = _used(len(items), height)
    if len(used) < len(items):
        items = items[used]
    lines: NDArray[np.int16 | np.int32] = _shorten(items, left, right, weight)
    if len(lines) < height:
        lines = lines.astype(np.int32)  # less to convert than what is made of them

    both = lines.take(place, axis=0).astype(np.int32, copy=False)
    both *= low
    both >>= 16
    brightness = both[:height]
    brightness += both[height:]
    brightness += 2
    brightness >>= 2
    return brightness.astype(np.uint8)


def _shorten(
    items: NDArray[np.uint8] | NDArray[np.uint32],
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    weight: NDArray[np.int16],
) -> NDArray[np.int16]:
    """Rows of items to the new length: 128 times the brightness of each byte.

    (near (2048 - w) + far w) >> 4 is computed in 16 bits, twice as fast as in 32, as
    near 128 + (far - near) (w >> 4) + ((far - near) (w & 15) >> 4).
    """
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
def _numbers(
    columns: int, width: int, channels: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int16]]:
    """Of each number of a new row, channel by channel: the two old ones, and the second's weight.

    In the old row they lie pixel by pixel.
    """
    left, right, weight = _neighbours(columns, width)
    first = np.arange(channels)[:, None]
    numbers = [(at * channels + first).ravel() for at in (left, right)]
    return numbers[0], numbers[1], np.tile(weight, channels).astype(np.int16)


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
