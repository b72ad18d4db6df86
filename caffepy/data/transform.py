"""TransformationParameter: which part of an image a net sees, mirrored or not, and in what units."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffepy.errors import DataError, LayerError
from caffepy.proto import BlobProto, TransformationParameter
from caffepy.proto.arrays import to_array
from caffepy.proto.files import read_binary

Shape = tuple[int, ...]


class Draws(NamedTuple):
    """What was drawn for each record of a batch: its upper left corner, and whether to mirror."""

    top: NDArray[np.int64]
    left: NDArray[np.int64]
    mirror: NDArray[np.bool_]


class Transform:
    """((image - mean) * scale), cropped and mirrored, as a TransformationParameter says.

    Cropping is done to each record, by `window`; the rest to batches of any shape (N, C, h, w), on
    the device they are on, by calling this. LayerError where the settings contradict each other.

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
        self.crop = param.crop_size
        self._mirror = param.mirror
        self._scale = param.scale
        self._training = training
        self._mean_values = torch.tensor(list(param.mean_value), device=device)
        self._mean_image = None
        if param.HasField("mean_file"):
            self._mean_file = param.mean_file
            self._mean_image = read_mean(param.mean_file).to(device)

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
        if self._mean_image is not None and self._mean_image.shape != shape:
            raise DataError(
                f"{self.owner}: the mean in {self._mean_file} is {sized(self._mean_image.shape)}, "
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

    def __call__(self, pixels: Tensor, draws: Draws) -> Tensor:
        """The batch a net sees, float32, of cropped pixels (N, C, h, w).

        Computed in place where the pixels are float32 already.
        """
        x = pixels.float()
        if self._mean_image is not None:
            x -= self._mean_at(self._mean_image, draws)
        elif len(self._mean_values):
            x -= self._mean_values[:, None, None]
        if self._scale != 1:
            x *= self._scale
        if draws.mirror.any():
            flipped = torch.from_numpy(np.flatnonzero(draws.mirror)).to(x.device)
            x[flipped] = x[flipped].flip(3)
        return x

    def _mean_at(self, mean: Tensor, draws: Draws) -> Tensor:
        if not self.crop:
            return mean
        if not self._training:
            top, left = int(draws.top[0]), int(draws.left[0])
            return mean[:, top : top + self.crop, left : left + self.crop]
        windows = mean.unfold(1, self.crop, 1).unfold(2, self.crop, 1)
        corners = torch.from_numpy(np.stack([draws.top, draws.left])).to(mean.device)
        return windows[:, corners[0], corners[1]].transpose(0, 1)


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
