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
from caffepy.data.transform import Draws, Map, Transform, sized
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

    def name(self, item: T) -> str:
        """What messages call an item."""

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

    def name(self, number: int) -> str:
        """What messages call the item of a number, counted as `position` is."""
        items = self.collection.items(self.skip + number, 1)
        return self.collection.name(next(items))

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

    def origin(self, item: int) -> str:
        """What messages call an item of the batch that was read last."""
        first = self.position - self._step + self._stream.rank
        return self._stream.name(first + item * self._stream.world)

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
            yield cut(loaded, transform, stream.seed, numbers, pool.map, pinned)
        else:
            yield stack(loaded, transform, stream.seed, numbers, pool.map, pinned)
        first += size * stream.world


def cut(
    block: Block,
    transform: Transform,
    seed: int,
    numbers: NDArray[np.uint64],
    spread: Map,
    pinned: bool,
) -> Batch:
    """One batch of a block, each image cropped as is drawn for its number."""
    images = block.images
    shape = transform.window(images.shape[1:], block.where)
    draws = transform.draw(seed, numbers, np.broadcast_to(images.shape[2:], (len(images), 2)))
    if shape != images.shape[1:] or transform.views > 1 or draws.sizes is not None:
        images = np.stack(transform.cut([*images], draws, spread))
    pixels = torch.from_numpy(images)
    labels = torch.tensor(block.labels, dtype=torch.float32)
    return Batch(pixels.pin_memory() if pinned else pixels, labels, draws)


def stack(
    samples: Sequence[Sample],
    transform: Transform,
    seed: int,
    numbers: NDArray[np.uint64],
    spread: Map = map,
    pinned: bool = False,
) -> Batch:
    """One batch of samples, each cropped as is drawn for its number; DataError where sizes differ."""
    images = [sample.image for sample in samples]
    _check_shapes(samples, transform)
    draws = transform.draw(seed, numbers, np.array([image.shape[1:] for image in images]))
    crops = transform.cut(images, draws, spread)
    whole = all(image.dtype == np.uint8 for image in images)
    pixels = torch.empty(
        (len(crops), *crops[0].shape),
        dtype=torch.uint8 if whole else torch.float32,
        pin_memory=pinned,
    )
    np.stack(crops, out=pixels.numpy())
    labels = torch.tensor([sample.label for sample in samples], dtype=torch.float32)
    return Batch(pixels, labels, draws)


def _check_shapes(samples: Sequence[Sample], transform: Transform) -> None:
    """Raise DataError unless the crops of all samples have one shape."""
    first = samples[0].image.shape
    shape = transform.window(first, samples[0].where)
    for sample in samples:
        size = sample.image.shape
        if size != first and transform.window(size, sample.where) != shape:
            raise DataError(
                f"{transform.owner}: {sample.where} is {sized(size)}, but the first of its batch, "
                f"{samples[0].where}, is {sized(first)}"
            )
