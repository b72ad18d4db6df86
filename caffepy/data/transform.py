"""TransformationParameter: which part of an image a net sees, mirrored or not, and in what units."""

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffepy.data.crop import Crop, Size, refused
from caffepy.data.datum import Planes
from caffepy.data.distort import Colours, Distortion, distort
from caffepy.data.images import Pixels, resize
from caffepy.data.lighting import Lighting
from caffepy.errors import DataError
from caffepy.proto import BlobProto, TransformationParameter
from caffepy.proto.arrays import to_array
from caffepy.proto.files import read_binary

COLOURS = 3  # blue, green, red

Shape = tuple[int, ...]
Map = Callable[[Callable[[Planes], Planes], Iterable[Planes]], Iterable[Planes]]


class Draws(NamedTuple):
    """What was drawn for each crop of a batch.

    top, left: its upper left corner. mirror: whether it is mirrored. sizes: (N, 2), the rows and
    columns cut out, where they are to be resized. light: (N, 3), what is added to each channel.
    """

    top: NDArray[np.int64]
    left: NDArray[np.int64]
    mirror: NDArray[np.bool_]
    sizes: NDArray[np.int64] | None = None
    light: Tensor | None = None
    colours: Colours | None = None


class Transform:
    """((image - mean) * scale), cropped and mirrored, as a TransformationParameter says.

    In training, colours are distorted and light is added before. Cropping is done to each record,
    by `cut`; the rest to batches of any shape (N, C, h, w), on the device they are on, by calling
    this. LayerError where the settings contradict each other.

    color: `decode_image`'s. crop: (h, w), None for the whole image. views: how many crops of each
    image there are.

    Source: caffe/src/caffe/data_transformer.cpp
    """

    def __init__(
        self, param: TransformationParameter, training: bool, device: torch.device, owner: str
    ) -> None:
        if param.force_color and param.force_gray:
            raise refused(owner, "force_color and force_gray are both set", "force_gray")
        if param.HasField("mean_file") and param.mean_value:
            raise refused(owner, "mean_file and mean_value are both set", "mean_value")
        self.color = True if param.force_color else False if param.force_gray else None
        self.owner = owner
        self._crop = Crop(param, training, owner)
        self.crop, self.views = self._crop.size, self._crop.views
        lighting = Lighting(param, owner) if lit(param) else None
        distortion = Distortion(param, owner) if param.HasField("distort_param") else None
        self._lighting = lighting if training else None
        self._distortion = distortion if training else None
        self._scale = param.scale
        self._mean_values = torch.tensor(list(param.mean_value), device=device)
        self._mean_image = None
        if param.HasField("mean_file"):
            self._mean_file = param.mean_file
            self._mean_image = read_mean(param.mean_file).to(device)

    def window(self, shape: Shape, where: object) -> Shape:
        """The shape (C, h, w) of a crop of an image; the error of an image it cannot take.

        `where` names the record in it.
        """
        channels, height, width = shape
        if self.crop is not None and not self._crop.resized:
            self._check_size(self.crop, (height, width), where)
        if self._mean_image is not None and self._mean_image.shape != shape:
            raise DataError(
                f"{self.owner}: the mean in {self._mean_file} is {sized(self._mean_image.shape)}, "
                f"{where} is {sized(shape)}; they must be equal, before cropping"
            )
        if len(self._mean_values) not in (0, 1, channels):
            raise refused(
                self.owner,
                f"{len(self._mean_values)} mean_values; {where} has {channels} "
                f"channels: give 1 or {channels}",
                "mean_value",
            )
        if channels != COLOURS:
            self._check_colour(channels, where)
        return (channels, *(self.crop or (height, width)))

    def _check_size(self, crop: Size, size: Size, where: object) -> None:
        if crop[0] > size[0] or crop[1] > size[1]:
            what = f"crop_size is {crop[0]}" if crop[0] == crop[1] else f"the crop is {sized(crop)}"
            raise DataError(
                f"{self.owner}: {what}; {where} has only {size[0]} rows and {size[1]} columns"
            )

    def _check_colour(self, channels: int, where: object) -> None:
        used = {"lighting_std": self._lighting, "distort_param": self._distortion}
        for field, step in used.items():
            if step is not None:
                text = f"{field} is for images of {COLOURS} channels; {where} has {channels}"
                raise refused(self.owner, text, field)

    def draw(self, seed: int, numbers: NDArray[np.uint64], sizes: NDArray[np.int64]) -> Draws:
        """What is drawn for the images of these numbers in the stream, their crops in order.

        sizes (N, 2): their rows and columns. Each draw depends on the seed and the image's number
        only.
        """
        corners = self._crop.corners(seed, numbers, sizes)
        light = None if self._lighting is None else self._lighting.draw(seed, numbers)
        colours = None if self._distortion is None else self._distortion.draw(seed, numbers)
        return Draws(*corners, light, colours)

    def cut(self, images: Sequence[Planes], draws: Draws, spread: Map = map) -> list[Planes]:
        """The crops of images (C, H, W), as drawn for them; `spread` calls what takes long."""
        if self.crop is None:
            return list(images)
        repeated = [image for image in images for _ in range(self.views)]
        sizes = repeat(self.crop) if draws.sizes is None else draws.sizes.tolist()
        parts = [
            image[:, top : top + height, left : left + width]
            for image, top, left, (height, width) in zip(
                repeated, draws.top.tolist(), draws.left.tolist(), sizes, strict=False
            )
        ]
        return parts if draws.sizes is None else list(spread(self._resized, parts))

    def _resized(self, part: Planes) -> Planes:
        """A part of an image, of the crop's size."""
        height, width = self.crop or part.shape[1:]
        return resize(as_bytes(part, self.owner).transpose(1, 2, 0), height, width).transpose(
            2, 0, 1
        )

    def __call__(self, pixels: Tensor, draws: Draws) -> Tensor:
        """The batch a net sees, float32, of cropped pixels (N, C, h, w).

        Computed in place where the pixels are float32 already.
        """
        x = pixels.float()
        if draws.colours is not None:
            distort(x, draws.colours)
        if draws.light is not None:
            x += draws.light.to(x.device)[:, :, None, None]
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
        if self.crop is None:
            return mean
        height, width = self.crop
        top, left = draws.top, draws.left
        if (top == top[0]).all() and (left == left[0]).all():
            return mean[:, top[0] : top[0] + height, left[0] : left[0] + width]
        windows = mean.unfold(1, height, 1).unfold(2, width, 1)
        corners = torch.from_numpy(np.stack([top, left])).to(mean.device)
        return windows[:, corners[0], corners[1]].transpose(0, 1)


def as_bytes(image: Planes, owner: str) -> Pixels:
    """An image of bytes as it is; DataError for another."""
    if image.dtype != np.uint8:
        raise DataError(f"{owner}: random_resized_crop takes images of bytes; here are float_data")
    return image.astype(np.uint8, copy=False)


def lit(param: TransformationParameter) -> bool:
    """Whether one of lighting's fields is set."""
    return param.HasField("lighting_std") or param.HasField("lighting_file")


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
