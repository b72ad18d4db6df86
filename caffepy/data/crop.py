"""Which part of each image a net sees."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from caffepy.data.chance import BOX, random_bits, uniforms
from caffepy.errors import LayerError
from caffepy.proto import RandomResizedCropParameter, TransformationParameter

Size = tuple[int, int]  # rows and columns
Sizes = NDArray[np.int64]  # (N, 2), rows and columns of each image
Bits = NDArray[np.uint64]

TEN = 10
TRIES = 10  # at a box that fits into its image, before its middle is taken


class Corners(NamedTuple):
    """By crop: its upper left corner and whether it is mirrored.

    sizes: (N, 2), the rows and columns cut out, where they are not the crop's own.
    """

    top: NDArray[np.int64]
    left: NDArray[np.int64]
    mirror: NDArray[np.bool_]
    sizes: Sizes | None = None


class Areas(NamedTuple):
    """From which part of an image's area to which, and in which shapes (columns / rows)."""

    min_area: float
    max_area: float
    min_aspect: float
    max_aspect: float


class Crop:
    """The crops that a TransformationParameter asks for in a phase.

    size: rows and columns, None where images are left whole. views: how many of each image, 10 with
    `ten_crop` in TEST, else 1. resized: whether parts of any size are cut out and resized to it.
    LayerError where settings contradict each other.
    """

    def __init__(self, param: TransformationParameter, training: bool, owner: str) -> None:
        self.size = crop_size(param, owner)
        self._training = training
        self._mirror = param.mirror
        self._random = param.mirror or (training and self.size is not None)
        self._areas = areas(param, owner)
        wanted = {"random_resized_crop": self._areas is not None, "ten_crop": param.ten_crop}
        for field, set_ in wanted.items():
            if set_ and self.size is None:
                raise refused(owner, f"{field} needs crop_size, or crop_h and crop_w", field)
        self.resized = self._areas is not None and training
        self.views = TEN if param.ten_crop and not training else 1

    def corners(self, seed: int, numbers: NDArray[np.uint64], sizes: Sizes) -> Corners:
        """The crops of the images of these numbers in the stream, those of one after the other.

        Each depends on the seed and the image's number only. They are central outside training;
        mirroring is drawn there too, as in Caffe.
        """
        bits = random_bits(seed, numbers) if self._random else np.zeros_like(numbers)
        mirror = (bits >> np.uint64(63)).astype(bool) & self._mirror
        if self.size is None:
            corner = np.zeros(len(numbers), np.int64)
            return Corners(corner, corner, mirror)
        if not self._training:
            return still(sizes - self.size, self.views, mirror)
        if self._areas is not None:
            return boxes(self._areas, uniforms(seed, BOX, numbers, 2 * TRIES + 2), sizes, mirror)
        spare = sizes - self.size
        halves = np.stack([bits, bits >> np.uint64(31)], axis=1) & np.uint64(0x7FFFFFFF)
        places = (halves.astype(np.int64) * (spare + 1)) >> 31
        return Corners(places[:, 0], places[:, 1], mirror)


def refused(owner: str, text: str, field: str) -> LayerError:
    """The error of a layer's transform_param, at one of its fields."""
    return LayerError(f"{owner}: {text}", f"transform_param.{field}")


def crop_size(param: TransformationParameter, owner: str) -> Size | None:
    """Rows and columns that are cut out; None for all."""
    given = [name for name in ("crop_h", "crop_w") if getattr(param, name)]
    if not given:
        return (param.crop_size, param.crop_size) if param.crop_size else None
    if param.crop_size:
        raise refused(owner, f"crop_size and {given[0]} are both set", given[0])
    if len(given) == 1:
        text = f"crop_h is {param.crop_h} and crop_w {param.crop_w}; set both of them, or none"
        raise refused(owner, text, given[0])
    return param.crop_h, param.crop_w


def areas(param: TransformationParameter, owner: str) -> Areas | None:
    """The settings of random_resized_crop, where it is there; LayerError for impossible ones."""
    if not param.HasField("random_resized_crop"):
        return None
    box: RandomResizedCropParameter = param.random_resized_crop
    if not 0 < box.min_area <= box.max_area <= 1:
        text = (
            f"min_area is {box.min_area:g} and max_area {box.max_area:g}; they are parts of an "
            "image, above 0, up to 1, and the first is not the larger one"
        )
        raise refused(owner, text, "random_resized_crop")
    if not 0 < box.min_aspect_ratio <= box.max_aspect_ratio < np.inf:
        text = (
            f"min_aspect_ratio is {box.min_aspect_ratio:g} and max_aspect_ratio "
            f"{box.max_aspect_ratio:g}; they are columns by rows, above 0, and the first is not "
            "the larger one"
        )
        raise refused(owner, text, "random_resized_crop")
    if param.HasField("mean_file"):
        text = "random_resized_crop takes no mean_file, whose pixels have places; give mean_value"
        raise refused(owner, text, "mean_file")
    return Areas(box.min_area, box.max_area, box.min_aspect_ratio, box.max_aspect_ratio)


def still(spare: Sizes, views: int, mirror: NDArray[np.bool_]) -> Corners:
    """Of each image the centre; of ten views the four corners by rows, the centre, all mirrored.

    spare: how many rows and columns more than the crop it has. Source: caffe/python/caffe/io.py,
    oversample.
    """
    centre = spare // 2
    if views == 1:
        return Corners(centre[:, 0], centre[:, 1], mirror)
    nothing = np.zeros_like(spare[:, 0])
    rows, columns = spare.T
    top = np.stack([nothing, nothing, rows, rows, centre[:, 0]] * 2, axis=1)
    left = np.stack([nothing, columns, nothing, columns, centre[:, 1]] * 2, axis=1)
    half = np.repeat([False, True], TEN // 2)
    return Corners(top.ravel(), left.ravel(), np.tile(half, len(spare)))


def boxes(
    limits: Areas, chance: NDArray[np.float64], sizes: Sizes, mirror: NDArray[np.bool_]
) -> Corners:
    """A part of each image: its area drawn evenly, the logarithm of its columns / rows too.

    chance: (N, 2 TRIES + 2) from 0 to 1: areas and shapes of as many tries, and places. The first
    try that fits into the image is taken; where none does, the largest part in its middle that has
    a shape allowed.

    Source: Szegedy et al., Going deeper with convolutions (2015), section 6, as the training of
    Inception does it.
    """
    low, high = np.log([limits.min_aspect, limits.max_aspect])
    part = limits.min_area + chance[:, :TRIES] * (limits.max_area - limits.min_area)
    area = part * sizes.prod(axis=1)[:, None]
    aspect = np.exp(low + chance[:, TRIES : 2 * TRIES] * (high - low))
    tried = np.rint(np.stack([np.sqrt(area / aspect), np.sqrt(area * aspect)], axis=2))
    fits = ((tried >= 1) & (tried <= sizes[:, None])).all(axis=2)
    first = tried[np.arange(len(tried)), fits.argmax(axis=1)].astype(np.int64)
    found = fits.any(axis=1)
    taken = np.where(found[:, None], first, middle(limits, sizes))
    spare = sizes - taken
    drawn = (chance[:, 2 * TRIES :] * (spare + 1)).astype(np.int64)
    place = np.where(found[:, None], drawn, spare // 2)
    return Corners(place[:, 0], place[:, 1], mirror, taken)


def middle(limits: Areas, sizes: Sizes) -> Sizes:
    """The most rows and columns of each image that have a shape allowed."""
    rows, columns = sizes[:, 0], sizes[:, 1]
    most = np.stack([columns / limits.min_aspect, rows * limits.max_aspect], axis=1)
    kept: Sizes = np.minimum(sizes, np.rint(most).clip(1)).astype(np.int64)
    return kept
