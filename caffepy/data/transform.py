"""TransformationParameter: which part of an image a net sees, mirrored or not, and in what units."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffepy.data.datum import Planes
from caffepy.errors import DataError, LayerError
from caffepy.proto import BlobProto, TransformationParameter
from caffepy.proto.arrays import to_array
from caffepy.proto.files import read_binary

Shape = tuple[int, ...]
Numbers = Any  # torch's or numpy's: both understand what is done with them here

CACHED = 1 << 18  # numbers that stay near a core of the CPU from one step to the next


class Draws(NamedTuple):
    """What was drawn for each record of a batch: its upper left corner, and whether to mirror."""

    top: NDArray[np.int64]
    left: NDArray[np.int64]
    mirror: NDArray[np.bool_]


class Transform:
    """((image - mean) * scale), cropped and mirrored, as a TransformationParameter says.

    Cropping and mirroring is done to each record, by `cut`, while it is bytes; the rest to batches
    of any shape (N, C, h, w), on the device they are on, by calling this. LayerError where the
    settings contradict each other.

    Source: caffe/src/caffe/data_transformer.cpp
    """

    def __init__(
        self, param: TransformationParameter, training: bool, device: torch.device, owner: str
    ) -> None:
        if param.force_color and param.force_gray:
            raise LayerError(
                f"{owner}: force_color and force_gray are both set", "transform_param.force_gray"
            )
        if param.HasField("mean_file") and param.mean_value:
            raise LayerError(
                f"{owner}: mean_file and mean_value are both set", "transform_param.mean_value"
            )
        self.color = True if param.force_color else False if param.force_gray else None
        self.owner = owner
        self.device = device
        self.crop = param.crop_size
        self._mirror = param.mirror
        self._scale = param.scale
        self._training = training
        self._mean_values = torch.tensor(list(param.mean_value), device=device)
        self._mean_images = None  # as it is, and mirrored
        if param.HasField("mean_file"):
            self._mean_file = param.mean_file
            mean = read_mean(param.mean_file)
            self._mean_images = torch.stack([mean, mean.flip(2)]).to(device)

    def window(self, shape: Shape, where: object) -> Shape:
        """The shape (C, h, w) that crop_size leaves of an image; the error of one it cannot take.

        `where` names the record in it.
        """
        channels, height, width = shape
        if self.crop > min(height, width):
            raise DataError(
                f"{self.owner}: crop_size is {self.crop}; {where} has only "
                f"{height} rows and {width} columns"
            )
        if self._mean_images is not None and self._mean_images.shape[1:] != shape:
            raise DataError(
                f"{self.owner}: the mean in {self._mean_file} is {sized(self._mean_images.shape[1:])}, "
                f"{where} is {sized(shape)}; they must be equal, before cropping"
            )
        if len(self._mean_values) not in (0, 1, channels):
            raise LayerError(
                f"{self.owner}: {len(self._mean_values)} mean_values; {where} has {channels} "
                f"channels: give 1 or {channels}",
                "transform_param.mean_value",
            )
        return (channels, self.crop, self.crop) if self.crop else shape

    def draw(self, seed: int, numbers: NDArray[np.uint64], sizes: NDArray[np.int64]) -> Draws:
        """Corners and mirrorings of the records of these numbers in the stream.

        sizes (N, 2): their rows and columns. Each draw depends on the seed and the record's number
        only. Corners are the central ones outside training; mirroring is drawn there too, as in
        Caffe.
        """
        bits = random_bits(seed, numbers)
        mirror = (bits >> np.uint64(63)).astype(bool) & self._mirror
        if not self.crop:
            corner = np.zeros(len(numbers), np.int64)
            return Draws(corner, corner, mirror)
        spare = sizes - self.crop
        if not self._training:
            return Draws(spare[:, 0] // 2, spare[:, 1] // 2, mirror)
        halves = np.stack([bits, bits >> np.uint64(31)], axis=1) & np.uint64(0x7FFFFFFF)
        corners = (halves.astype(np.int64) * (spare + 1)) >> 31
        return Draws(corners[:, 0], corners[:, 1], mirror)

    def cut(
        self, images: Iterable[Planes], draws: Draws, out: NDArray[np.uint8] | NDArray[np.float32]
    ) -> None:
        """Write the windows of images (C, H, W) that were drawn, mirrored or not, to out (N, C, h, w)."""
        height, width = out.shape[2:]
        for to, image, top, left, mirror in zip(out, images, *by_record(draws), strict=True):
            window = image[:, top : top + height, left : left + width]
            to[...] = window[:, :, ::-1] if mirror else window

    def __call__(self, pixels: Tensor, draws: Draws, out: Tensor | None = None) -> Tensor:
        """The batch a net sees, float32, of pixels (N, C, h, w) that were cut as drawn.

        It is written to `out`, where that is given. On a CPU, one thread does it.
        """
        x = torch.empty(pixels.shape, device=pixels.device) if out is None else out
        if x.device.type == "cpu":
            self._compute(x.numpy(), pixels.numpy(), draws)
        else:
            self._compute(x, pixels, draws)
        return x

    def _compute(self, x: Numbers, pixels: Numbers, draws: Draws) -> None:
        size = max(1, CACHED // math.prod(x.shape[1:])) if isinstance(x, np.ndarray) else len(x)
        for begin in range(0, len(x), size):
            part = slice(begin, begin + size)
            x[part] = pixels[part]
            self._subtract(x[part], Draws(draws.top[part], draws.left[part], draws.mirror[part]))
            if self._scale != 1:
                x[part] *= self._scale

    def _subtract(self, x: Numbers, draws: Draws) -> None:
        """Subtract the mean, in place; a mean image where it was cut, and mirrored with it."""
        if self._mean_images is None:
            if len(self._mean_values):
                x -= same_kind(self._mean_values, x)[:, None, None]
            return
        means = same_kind(self._mean_images, x)
        height, width = x.shape[2:]
        for number, (top, left, mirror) in enumerate(zip(*by_record(draws), strict=True)):
            first = means.shape[3] - width - left if mirror else left
            x[number] -= means[int(mirror), :, top : top + height, first : first + width]


def by_record(draws: Draws) -> tuple[list[int], list[int], list[bool]]:
    """What was drawn, as Python's numbers."""
    return draws.top.tolist(), draws.left.tolist(), draws.mirror.tolist()


def same_kind(numbers: Tensor, like: Numbers) -> Numbers:
    """A tensor as numpy's or torch's, whichever `like` is; no copy."""
    return numbers.numpy() if isinstance(like, np.ndarray) else numbers


def read_mean(path: str) -> Tensor:
    """The mean image (C, H, W) of a binaryproto file."""
    mean = to_array(read_binary(path, BlobProto))
    if mean.ndim == 4 and len(mean) == 1:
        mean = mean[0]
    if mean.ndim != 3 or not mean.size:
        raise DataError(f"{path}: not a mean image: its shape is {sized(mean.shape)}")
    return torch.tensor(mean)


def sized(shape: Shape) -> str:
    """A shape as people write it: 3x32x24."""
    return "x".join(map(str, shape))


def random_bits(seed: int, numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """64 random bits for each number, equal for equal (seed, number).

    SplitMix64, counter-based. Steele, Lea, Flood: Fast splittable pseudorandom number generators
    (OOPSLA 2014).
    """
    start = mix(np.array([seed % 2**64], np.uint64))
    return mix(start + numbers * np.uint64(0x9E3779B97F4A7C15))


def mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
