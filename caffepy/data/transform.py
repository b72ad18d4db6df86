"""TransformationParameter: which part of an image a net sees, mirrored or not, and in what units."""

import math
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffepy.data.crop import Crop, Size, refused
from caffepy.data.datum import Planes
from caffepy.data.distort import Colours, Distortion, distort
from caffepy.data.images import Pixels
from caffepy.data.lighting import Lighting
from caffepy.data.resize import resize
from caffepy.errors import DataError, ParseError
from caffepy.proto import BlobProto, TransformationParameter
from caffepy.proto.arrays import to_array
from caffepy.proto.files import read_binary

COLOURS = 3  # blue, green, red

Shape = tuple[int, ...]
Place = tuple[int, int, bool]
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Images = Sequence[Planes] | Bytes  # (C, H, W) each, or (N, C, H, W)
Numbers = Any  # torch's or numpy's: both understand what is done with them here

CACHED = 1 << 19  # numbers that stay near a core of the CPU from one step to the next


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

    In training, colours are distorted and light is added before. On a CPU, `fill` does it all. For
    another device, `cut` crops and mirrors images while they are bytes, and this, called, does the
    rest to batches that were moved there. LayerError where the settings contradict each other.

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
        self.device = device
        self._crop = Crop(param, training, owner)
        self.crop, self.views = self._crop.size, self._crop.views
        lighting = Lighting(param, owner) if lit(param) else None
        distortion = Distortion(param, owner) if param.HasField("distort_param") else None
        self._lighting = lighting if training else None
        self._distortion = distortion if training else None
        self._scale = param.scale
        self._mean_values = torch.tensor(list(param.mean_value), device=device)
        self._mean_images = None  # as it is, and mirrored
        if param.HasField("mean_file"):
            self._mean_file = param.mean_file
            mean = read_mean(param.mean_file)
            self._mean_images = torch.stack([mean, mean.flip(2)]).to(device)

    def window(self, shape: Shape, where: object) -> Shape:
        """The shape (C, h, w) of a crop of an image; the error of an image it cannot take.

        `where` names the record in it.
        """
        channels, height, width = shape
        if self.crop is not None and not self._crop.resized:
            self._check_size(self.crop, (height, width), where)
        if self._mean_images is not None and self._mean_images.shape[1:] != shape:
            raise DataError(
                f"{self.owner}: the mean in {self._mean_file} is {sized(self._mean_images.shape[1:])}, "
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

    def fill(self, images: Images, draws: Draws, x: Floats) -> None:
        """Write to x (N, C, h, w) what a net sees of images (C, H, W); on a CPU, in one thread.

        A few of them go through all steps before the next ones are touched, and stay near the core.
        """
        size = max(1, CACHED // math.prod(x.shape[1:]))
        places, crops = by_record(draws), self._crops(images, draws, x.shape)
        for begin in range(0, len(x), size):
            part = slice(begin, begin + size)
            some = x[part]
            write(crops[part] if isinstance(crops, np.ndarray) else crops, some)
            if draws.colours is not None:
                distort(torch.from_numpy(some), Colours(*(each[part] for each in draws.colours)))
            light = None if draws.light is None else draws.light[part].numpy()
            self._compute(some, light, places[part])

    def cut(self, images: Images, draws: Draws, out: Bytes | Floats) -> None:
        """Write the crops of images that were drawn, mirrored or not, to out (N, C, h, w)."""
        write(self._crops(images, draws, out.shape), out)

    def _crops(self, images: Images, draws: Draws, shape: Shape) -> Iterator[Planes] | Bytes:
        """The crops (C, h, w), each until the next is asked for; or the images, if just these."""
        if isinstance(images, np.ndarray) and images.shape == shape and not draws.mirror.any():
            return images
        return self._cut_out(images, draws, shape[1:])

    def _cut_out(self, images: Images, draws: Draws, shape: Shape) -> Iterator[Planes]:
        repeated = (image for image in images for _ in range(self.views))
        sizes = repeat(shape[1:]) if draws.sizes is None else draws.sizes.tolist()
        mirrored = np.empty(shape, np.uint8)
        for image, (top, left, mirror), (rows, columns) in zip(
            repeated, by_record(draws), sizes, strict=False
        ):
            crop = image[:, top : top + rows, left : left + columns]
            if draws.sizes is not None:
                crop = self._resized(crop)
            if mirror and crop.dtype == np.uint8:  # bytes are turned sooner than what they become
                mirrored[...] = crop[:, :, ::-1]
                yield mirrored
            else:
                yield crop[:, :, ::-1] if mirror else crop

    def _resized(self, part: Planes) -> Planes:
        """A part of an image, of the crop's size."""
        height, width = self.crop or part.shape[1:]
        return resize(as_bytes(part, self.owner).transpose(1, 2, 0), height, width).transpose(
            2, 0, 1
        )

    def __call__(self, pixels: Tensor, draws: Draws) -> Tensor:
        """What a net sees, float32, of pixels (N, C, h, w) that were cut as drawn; on their device."""
        x = pixels.to(torch.float32, copy=True)
        if draws.colours is not None:
            distort(x, draws.colours)
        light = None if draws.light is None else draws.light.to(x.device)
        self._compute(x, light, by_record(draws))
        return x

    def _compute(self, x: Numbers, light: Numbers | None, places: Sequence[Place]) -> None:
        """Add light (N, C) to x (N, C, h, w), subtract the mean and scale, in place.

        A mean image is subtracted where each crop was cut, and mirrored with it.
        """
        if light is not None:
            x += light[:, :, None, None]
        if len(self._mean_values):
            x -= same_kind(self._mean_values, x)[:, None, None]
        if self._mean_images is not None:
            means = same_kind(self._mean_images, x)
            height, width = x.shape[2:]
            for number, (top, left, mirror) in enumerate(places):
                first = means.shape[3] - width - left if mirror else left
                x[number] -= means[int(mirror), :, top : top + height, first : first + width]
        if self._scale != 1:
            x *= self._scale


def write(crops: Iterator[Planes] | Bytes, out: Bytes | Floats) -> None:
    """Write the next crops (C, h, w) to out (N, C, h, w)."""
    if isinstance(crops, np.ndarray):
        out[...] = crops
        return
    for to, crop in zip(out, crops, strict=False):
        to[...] = crop


def by_record(draws: Draws) -> list[Place]:
    """Where each crop is, and whether it is mirrored, as Python's numbers."""
    columns = draws.top.tolist(), draws.left.tolist(), draws.mirror.tolist()
    return list(zip(*columns, strict=True))


def same_kind(numbers: Tensor, like: Numbers) -> Numbers:
    """A tensor as numpy's or torch's, whichever `like` is; no copy."""
    return numbers.numpy() if isinstance(like, np.ndarray) else numbers


def as_bytes(image: Planes, owner: str) -> Pixels:
    """An image of bytes as it is; DataError for another."""
    if image.dtype != np.uint8:
        raise DataError(f"{owner}: random_resized_crop takes images of bytes; here are float_data")
    return image.astype(np.uint8, copy=False)


def lit(param: TransformationParameter) -> bool:
    """Whether one of lighting's fields is set."""
    return param.HasField("lighting_std") or param.HasField("lighting_file")


def read_mean(path: str) -> Tensor:
    """The mean image (C, H, W) of a binaryproto file; DataError where it holds none."""
    try:
        blob = read_binary(path, BlobProto)
    except ParseError as error:
        raise DataError(f"mean image: {error}") from error
    try:
        mean = to_array(blob)
    except ParseError as error:
        raise DataError(f"mean image {path}: {error}") from error
    if mean.ndim == 4 and len(mean) == 1:
        mean = mean[0]
    if mean.ndim != 3 or not mean.size:
        raise DataError(f"{path}: not a mean image: its shape is {sized(mean.shape)}")
    return torch.tensor(mean)


def sized(shape: Shape) -> str:
    """A shape as people write it: 3x32x24."""
    return "x".join(map(str, shape))
