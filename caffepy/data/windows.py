"""Batches of windows of images, drawn at random, as R-CNN trains on them."""

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffepy.data.chance import random_bits
from caffepy.data.images import Pixels, decode_image, read_file
from caffepy.data.resize import resize
from caffepy.data.window_crop import WindowCrop
from caffepy.data.window_list import Boxes, WindowImage, WindowList
from caffepy.errors import DataError

CHANNELS = 3  # Caffe reads windows in colour


class WindowBatch(NamedTuple):
    """Crops (N, 3, crop, crop) and the classes of their windows (N,), float32."""

    data: Tensor
    labels: Tensor


class Task(NamedTuple):
    """A window to be cut out of its image into its place in a batch."""

    box: tuple[int, int, int, int]
    mirror: bool
    target: NDArray[np.float32]  # (3, crop, crop)


@dataclass(frozen=True)
class WindowSampler:
    """Draws batches of windows, with replacement: background first, then objects.

    Each batch depends on the seed and its number only. Pixels become (pixel - mean) * scale, with
    the mean of the place in the crop that they come to; outside the image a crop is 0.

    windows: to draw from. crop: how they are cut out. mean: (3, crop, crop), or of a shape that
    expands to it. size: of a batch, `objects` of which are objects. files: the images' bytes by
    number, where they are kept in memory.
    """

    windows: WindowList
    crop: WindowCrop
    mean: NDArray[np.float32]
    scale: float
    mirror: bool
    size: int
    objects: int
    seed: int
    files: list[bytes] = field(default_factory=list)

    def batches(self, first: int, step: int, pool: Executor) -> Iterator[WindowBatch]:
        """Every `step`th batch from number `first` on; without end."""
        while True:
            yield self.batch(first, pool)
            first += step

    def batch(self, number: int, pool: Executor) -> WindowBatch:
        """The batch of a number; the pool decodes and resizes. DataError, naming list and image."""
        numbers = np.arange(number * self.size, (number + 1) * self.size, dtype=np.uint64)
        bits = random_bits(self.seed, numbers)
        rest = self.size - self.objects
        boxes = np.concatenate(
            [
                draw(self.windows.background, bits[:rest]),
                draw(self.windows.foreground, bits[rest:]),
            ]
        )
        mirror = (bits >> np.uint64(63)).astype(bool) & self.mirror
        data = torch.zeros(self.size, CHANNELS, self.crop.crop, self.crop.crop)
        tasks: dict[int, list[Task]] = {}
        for (image, _, *corners), mirrored, target in zip(
            boxes.tolist(), mirror.tolist(), data.numpy(), strict=True
        ):
            tasks.setdefault(image, []).append(Task(tuple(corners), mirrored, target))
        for _ in pool.map(self._fill, tasks.keys(), tasks.values()):
            pass  # waits, and raises what went wrong
        return WindowBatch(data, torch.from_numpy(boxes[:, 1].astype(np.float32)))

    def _fill(self, number: int, tasks: list[Task]) -> None:
        """Cut all windows of one image, decoding it once."""
        image = self.windows.images[number]
        pixels = decode(image, self.files[number] if self.files else None)
        for task in tasks:
            try:
                self._cut(pixels, task)
            except DataError as error:
                x1, y1, x2, y2 = task.box
                raise DataError(
                    f"{image.where}: window {x1} {y1} {x2} {y2} of {image.path!r}, which has "
                    f"{pixels.shape[0]} rows and {pixels.shape[1]} columns: {error}"
                ) from error

    def _cut(self, pixels: Pixels, task: Task) -> None:
        height, width, _ = pixels.shape
        rows, columns = self.crop.place(task.box, height, width, task.mirror)
        part = pixels[rows.first : rows.last + 1, columns.first : columns.last + 1]
        part = resize(part, rows.size, columns.size)
        if task.mirror:
            part = part[:, ::-1]
        inside = (
            slice(None),
            slice(rows.start, rows.start + rows.size),
            slice(columns.start, columns.start + columns.size),
        )
        mean = np.broadcast_to(self.mean, task.target.shape)[inside]
        task.target[inside] = (part.transpose(2, 0, 1) - mean) * np.float32(self.scale)


def draw(boxes: Boxes, bits: NDArray[np.uint64]) -> Boxes:
    """One of the windows for each random number, by its lower half."""
    places = ((bits & np.uint64(0xFFFFFFFF)) * np.uint64(len(boxes))) >> np.uint64(32)
    return boxes.take(places, axis=0)


def keep(images: list[WindowImage]) -> list[bytes]:
    """The bytes of all images; DataError, naming list and path, where one cannot be read."""
    return [_read(image) for image in images]


def decode(image: WindowImage, file: bytes | None) -> Pixels:
    """An image (H, W, 3), of its file or of the bytes that were kept of it."""
    file = _read(image) if file is None else file
    return decode_image(file, True, f"{image.where}: could not load {image.path!r}")


def _read(image: WindowImage) -> bytes:
    try:
        return read_file(image.path)
    except DataError as error:
        raise DataError(f"{image.where}: could not load {error}") from error
