"""Images of other sizes by splines of any order, as scientific Python resizes them.

`images.resize` is OpenCV's way, which databases are made with; this is pycaffe's.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MAX_ORDER = 5
RINGING = 24  # pixels after which a spline's answer to one pixel is below 1e-8


def resample(image: Floats, height: int, width: int, order: int, *, corners: bool) -> Floats:
    """An image (H, W, K) at (height, width), between pixels by splines; no antialiasing.

    order: 0 takes the nearest pixel, 1 is bilinear, up to 5.
    corners: the corner pixels' centres stay where they are, and the image goes on mirrored; else
        the image's edges stay, and it goes on with zeros.

    Source: scipy.ndimage.zoom, with grid_mode=False and mode="constant", or with grid_mode=True and
    mode="grid-constant"
    """
    rows = _along_rows(image, height, order, corners=corners)
    return _along_rows(rows.swapaxes(0, 1), width, order, corners=corners).swapaxes(0, 1)


def _along_rows(image: Floats, size: int, order: int, *, corners: bool) -> Floats:
    places, weights = _taps(len(image), size, order, corners=corners)
    made = np.zeros((size, *image.shape[1:]))
    for place, weight in zip(places, weights, strict=True):
        made += image[place] * weight[:, None, None]
    return made


def _taps(
    size: int, new_size: int, order: int, *, corners: bool
) -> tuple[NDArray[np.intp], Floats]:
    """The old places, by taps, that each new place is made of, and their weights."""
    if corners:
        centre = np.arange(new_size) * ((size - 1) / max(new_size - 1, 1))
    else:
        centre = (np.arange(new_size) + 0.5) * (size / new_size) - 0.5
    reach = RINGING if order > 1 else 1
    taps = np.floor(centre).astype(np.intp) + np.arange(1 - reach, 1 + reach)[:, None]
    weights = _weight(centre - taps, order)
    if not corners:
        weights[(taps < 0) | (taps >= size)] = 0
        return taps.clip(0, size - 1), weights
    period = max(2 * (size - 1), 1)
    mirrored = taps % period
    return np.minimum(mirrored, period - mirrored).clip(0, size - 1), weights


def _weight(distance: Floats, order: int) -> Floats:
    """What a pixel adds at this distance, so that at the pixels themselves the image is unchanged."""
    if order < 2:
        return _b_spline(distance, order)
    weight = np.zeros_like(distance)
    for shift, amount in zip(range(-RINGING, RINGING + 1), _prefilter(order), strict=True):
        weight += amount * _b_spline(distance - shift, order)
    return weight


@cache
def _prefilter(order: int) -> Floats:
    """By how much of each spline nearby a single pixel is interpolated."""
    reach = np.arange(-2 * RINGING, 2 * RINGING + 1)
    samples = np.fft.ifftshift(_b_spline(reach.astype(float), order))
    answer = np.fft.fftshift(np.fft.ifft(1 / np.fft.fft(samples)).real)
    return answer[RINGING:-RINGING]


def _b_spline(x: Floats, order: int) -> Floats:
    """The B-spline of an order around 0, from those of one order less (Cox and de Boor)."""
    if order == 0:
        return ((x >= -0.5) & (x < 0.5)).astype(float)
    half = (order + 1) / 2
    left = (half + x) * _b_spline(x + 0.5, order - 1)
    return (left + (half - x) * _b_spline(x - 0.5, order - 1)) / order
