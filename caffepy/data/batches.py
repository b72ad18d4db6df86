"""Labelled images as batches, read ahead in the background while a net computes."""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffepy.data.ahead import WORKERS, Ahead, end_with
from caffepy.data.datum import Planes
from caffepy.data.transform import Draws, Shape, Transform, sized
from caffepy.errors import DataError

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Sample(NamedTuple):
    """An image (C, H, W) and its label; for messages, where it is from."""

    image: Planes
    label: int
    where: object


class Block(NamedTuple):
    """Images of one size, uint8 (N, C, H, W), in memory of their own, and their labels.

    where: for messages, where the first is from.
    """

    images: NDArray[np.uint8]
    labels: list[int]
    where: object


class Collection(Protocol[T]):
    """What a stream goes through, epoch after epoch: records, or the files that a list names."""

    def epoch(self, number: int) -> int:
        """In which epoch the item of a number is, or would be; the first is 0."""

    def items(self, start: int, step: int) -> Iterator[T]:
        """Every `step`th item from number `start` on; without end."""

    def load(self, items: Sequence[T], pool: Executor) -> list[Sample] | Block:
        """The images and labels of some items, in order; what takes long is done by the pool."""


@dataclass(frozen=True)
class Stream(Generic[T]):
    """Which items of a collection are read: all, in its order, epoch after epoch.

    The first `skip` are passed over. Item r of what follows goes to rank r % world; those before
    `position` went out before.
    """

    collection: Collection[T]
    seed: int
    rank: int
    world: int
    position: int
    skip: int = 0

    def items(self) -> Iterator[T]:
        """This rank's items."""
        return self.collection.items(self.skip + self.position + self.rank, self.world)

    def epoch(self, position: int) -> int:
        """In which epoch the item at a position is, or would be; the first is 0."""
        return self.collection.epoch(self.skip + position)


class Batch(NamedTuple):
    """Images stacked: pixels (N, C, h, w), cropped, uint8 or float32; labels (N,), float32."""

    pixels: Tensor
    labels: Tensor
    draws: Draws


class Batches(Generic[T]):
    """The batches of a stream, `depth` of them prepared ahead, in order.

    They are read by one thread; files are decoded by `decoders` more. The batches do not depend on
    how many. With a depth of 0 they are read when they are asked for. What goes wrong on the way is raised by `read`, again and again. The threads end with
    this object, or with the program.
    """

    def __init__(
        self,
        stream: Stream[T],
        transform: Transform,
        size: int,
        depth: int,
        pinned: bool = False,
        decoders: int = WORKERS,
    ) -> None:
        self.position = stream.position
        self._stream = stream
        self._step = size * stream.world
        pool = ThreadPoolExecutor(decoders, "decoder")
        self._ahead = Ahead(batches(stream, transform, size, pinned, pool), depth)
        end_with(self, pool)

    def read(self) -> Batch:
        """The next batch, waited for where it is not ready."""
        batch = self._ahead.read()
        epoch = self._stream.epoch(self.position)
        self.position += self._step
        if self._stream.rank == 0:
            for _ in range(self._stream.epoch(self.position) - epoch):
                logger.info("Restarting data prefetching from start.")
        return batch


def batches(
    stream: Stream[T], transform: Transform, size: int, pinned: bool, pool: Executor
) -> Iterator[Batch]:
    """The batches of a stream, one after the other, without end."""
    items = stream.items()
    offsets = np.arange(size, dtype=np.uint64) * np.uint64(stream.world)
    first = stream.position + stream.rank
    while True:
        loaded = stream.collection.load(list(islice(items, size)), pool)
        numbers = np.uint64(first) + offsets
        if isinstance(loaded, Block):
            yield cut(loaded, transform, stream.seed, numbers, pinned)
        else:
            yield stack(loaded, transform, stream.seed, numbers, pinned)
        first += size * stream.world


def cut(
    block: Block, transform: Transform, seed: int, numbers: NDArray[np.uint64], pinned: bool
) -> Batch:
    """One batch of a block, each image cropped as is drawn for its number."""
    images = block.images
    _, height, width = transform.window(images.shape[1:], block.where)
    draws = transform.draw(seed, numbers, np.broadcast_to(images.shape[2:], (len(images), 2)))
    if (height, width) != images.shape[2:]:
        corners = zip(images, draws.top.tolist(), draws.left.tolist(), strict=True)
        images = np.stack(
            [i[:, top : top + height, left : left + width] for i, top, left in corners]
        )
    pixels = torch.from_numpy(images)
    labels = torch.tensor(block.labels, dtype=torch.float32)
    return Batch(pixels.pin_memory() if pinned else pixels, labels, draws)


def stack(
    samples: Sequence[Sample],
    transform: Transform,
    seed: int,
    numbers: NDArray[np.uint64],
    pinned: bool = False,
) -> Batch:
    """One batch of samples, each cropped as is drawn for its number; DataError where sizes differ."""
    images = [sample.image for sample in samples]
    sizes = np.array([image.shape[1:] for image in images])
    shape = _shape(samples, transform)
    draws = transform.draw(seed, numbers, sizes)
    whole = any(image.dtype != np.uint8 for image in images)
    pixels = torch.empty(
        (len(images), *shape),
        dtype=torch.float32 if whole else torch.uint8,
        pin_memory=pinned,
    )
    _, height, width = shape
    corners = zip(draws.top.tolist(), draws.left.tolist(), strict=True)
    crops = [
        image[:, top : top + height, left : left + width]
        for image, (top, left) in zip(images, corners, strict=True)
    ]
    np.stack(crops, out=pixels.numpy())
    labels = torch.tensor([sample.label for sample in samples], dtype=torch.float32)
    return Batch(pixels, labels, draws)


def _shape(samples: Sequence[Sample], transform: Transform) -> Shape:
    """The cropped shape that all samples share, which is the first's."""
    first = samples[0].image.shape
    shape = transform.window(first, samples[0].where)
    for sample in samples:
        size = sample.image.shape
        if size != first and transform.window(size, sample.where) != shape:
            raise DataError(
                f"{transform.owner}: {sample.where} is {sized(size)}, but the first of its batch, "
                f"{samples[0].where}, is {sized(first)}"
            )
    return shape
