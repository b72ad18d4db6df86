"""Where a window of an image comes to lie in a square crop, as R-CNN cuts it out."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from caffepy.errors import DataError

Number = np.float32  # Caffe computes in it, and rounding to pixels shows it


class Span(NamedTuple):
    """Along one axis: the pixels first to last of an image, resized to `size` pixels from `start`.

    after: how many pixels Caffe counts behind them.
    """

    first: int
    last: int
    start: int
    size: int
    after: int


class Place(NamedTuple):
    """Along both axes; the rest of the crop is outside the image."""

    rows: Span
    columns: Span


@dataclass(frozen=True)
class WindowCrop:
    """How windows are cut out: resized to crop x crop pixels, with their surroundings.

    pad: pixels of the crop, on each side, that show surroundings. square: the longer side of a
    window is taken for both, so that it keeps its proportions.
    """

    crop: int
    pad: int
    square: bool

    def place(self, box: tuple[int, int, int, int], height: int, width: int, mirror: bool) -> Place:
        """Where the window (x1, y1, x2, y2) of an image of this size comes to lie.

        mirror: whether the crop is mirrored afterwards, its outside with it. DataError for a window
        without a pixel of the image.

        Source: WindowDataLayer::load_batch in caffe/src/caffe/layers/window_data_layer.cpp
        """
        x1, y1, x2, y2 = box
        if self.pad == 0 and not self.square:
            return Place(self._whole(y1, y2, height), self._whole(x1, x2, width))
        half_height, half_width = Number(y2 - y1 + 1) / Number(2), Number(x2 - x1 + 1) / Number(2)
        centre_y, centre_x = Number(y1) + half_height, Number(x1) + half_width
        if self.square:
            half_height = half_width = max(half_height, half_width)
        rows = self._padded(centre_y, half_height, height)
        columns = self._padded(centre_x, half_width, width)
        if mirror:
            columns = columns._replace(start=columns.after)
        return Place(self._fit(rows), self._fit(columns))

    def _whole(self, first: int, last: int, length: int) -> Span:
        if not 0 <= first <= last < length:
            raise DataError("not inside the image")
        return Span(first, last, 0, self.crop, 0)

    def _padded(self, centre: Number, half: Number, length: int) -> Span:
        """The axis grown around its centre, and cut off where the image ends."""
        reach = half * (Number(self.crop) / Number(self.crop - 2 * self.pad))
        first, last = rounded(centre - reach), rounded(centre + reach)
        scale = Number(self.crop) / Number(last - first + 1)
        before, after = max(0, -first), max(0, last - length + 1)
        first, last = first + before, last - after
        if first > last:
            raise DataError("outside the image")
        return Span(
            first,
            last,
            rounded(Number(before) * scale),
            rounded(Number(last - first + 1) * scale),
            rounded(Number(after) * scale),
        )

    def _fit(self, span: Span) -> Span:
        """The axis as long as the crop has room for, which rounding may exceed."""
        size = min(span.size, self.crop - span.start)
        if size < 1:
            raise DataError("less than a pixel of the crop is inside the image")
        return span._replace(size=size)


def rounded(number: Number) -> int:
    """The nearest whole number, of two the one farther from 0, as C's round."""
    value = float(number)
    return math.trunc(value + math.copysign(0.5, value))
