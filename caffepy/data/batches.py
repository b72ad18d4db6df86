"""Labelled images as batches, read ahead in the background while a net computes."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffepy.data.ahead import WORKERS, Ahead
from caffepy.data.datum import Planes
from caffepy.data.memory import Memory
from caffepy.data.transform import Draws, Images, Transform, sized
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

    def load(self, items: Sequence[T]) -> list[Sample] | Block:
        """The images and labels of some items, in order."""


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
    """Images stacked (N, C, h, w), and what is left to do to them; labels (N,), float32.

    pixels: on a CPU, what a net sees; for another device cut as drawn, uint8 or float32, pinned.
    """

    pixels: Tensor
    labels: Tensor
    draws: Draws


class Batches(Generic[T]):
    """The batches of a stream, some of them prepared ahead, in order.

    One thread reads items; `workers` more decode and transform them, each a batch. `depth` batches
    are on the way, or as many as there are workers; with a depth of 0 there are no threads, and a
    batch is made when it is asked for. The batches do not depend on any of this. What goes wrong on
    the way is raised by `read`, again and again. The threads end with this object, or with the
    program.
    """

    def __init__(
        self, stream: Stream[T], transform: Transform, size: int, depth: int, workers: int = WORKERS
    ) -> None:
        self.position = stream.position
        self._stream = stream
        self._transform = transform
        self._step = size * stream.world
        pool = ThreadPoolExecutor(workers, "decoder") if depth else None
        ahead = max(depth, workers) if depth else 0
        self._ahead = Ahead(begin(stream, transform, size, pool), ahead)
        self._next: Callable[[], Batch] | None = None

    def origin(self, item: int) -> str:
        """What messages call an item of the batch that was read last."""
        first = self.position - self._step + self._stream.rank
        return self._stream.name(first + item * self._stream.world)

    def read(self) -> tuple[Tensor, Tensor]:
        """The next batch on the transform's device, waited for where it is not ready."""
        if self._next is None:
            self._next = self._ahead.read()
        batch = self._next()
        self._next = None
        epoch = self._stream.epoch(self.position)
        self.position += self._step
        if self._stream.rank == 0:
            for _ in range(self._stream.epoch(self.position) - epoch):
                logger.info("Restarting data prefetching from start.")
        return self._moved(batch)

    def _moved(self, batch: Batch) -> tuple[Tensor, Tensor]:
        device = self._transform.device
        if device.type == "cpu":
            return batch.pixels, batch.labels
        pixels = batch.pixels.to(device, non_blocking=True)
        return self._transform(pixels, batch.draws), batch.labels.to(device, non_blocking=True)


def begin(
    stream: Stream[T], transform: Transform, size: int, pool: ThreadPoolExecutor | None
) -> Iterator[Callable[[], Batch]]:
    """Functions that give the batches of a stream, one after the other, without end.

    A pool has begun to make them, or else they are made by the call.
    """
    items = stream.items()
    offsets = np.arange(size, dtype=np.uint64) * np.uint64(stream.world)
    first = stream.position + stream.rank
    memory = Memory()
    while True:
        numbers = np.uint64(first) + offsets
        work = partial(make, stream, transform, list(islice(items, size)), numbers, memory)
        yield work if pool is None else pool.submit(work).result
        first += size * stream.world


def make(
    stream: Stream[T],
    transform: Transform,
    items: Sequence[T],
    numbers: NDArray[np.uint64],
    memory: Memory,
) -> Batch:
    """The batch of some items of a stream, which have these numbers in it."""
    return stack(stream.collection.load(items), transform, stream.seed, numbers, memory)


def stack(
    loaded: Sequence[Sample] | Block,
    transform: Transform,
    seed: int,
    numbers: NDArray[np.uint64],
    memory: Memory,
) -> Batch:
    """One batch of images, each cut as is drawn for its number; DataError where sizes differ."""
    images: Images
    if isinstance(loaded, Block):
        images, labels = loaded.images, loaded.labels
        shape = transform.window(images.shape[1:], loaded.where)
        sizes = np.full((len(images), 2), images.shape[2:])
    else:
        images, labels = [sample.image for sample in loaded], [sample.label for sample in loaded]
        shape = _shape(loaded, transform)
        sizes = np.array([image.shape[1:] for image in images])
    draws = transform.draw(seed, numbers, sizes)
    whole = (len(draws.mirror), *shape)
    targets = torch.from_numpy(np.array(labels, np.float32))
    if transform.device.type == "cpu":
        pixels = memory.take(whole)
        transform.fill(images, draws, pixels.numpy())
        return Batch(pixels, targets, draws)
    bytes_only = all(image.dtype == np.uint8 for image in images)
    kind = torch.uint8 if bytes_only else torch.float32
    pixels = torch.empty(whole, dtype=kind, pin_memory=True)
    transform.cut(images, draws, pixels.numpy())
    return Batch(pixels, targets.pin_memory(), draws)


def _shape(samples: Sequence[Sample], transform: Transform) -> tuple[int, ...]:
    """The shape of a crop, which all samples have; DataError where they have not."""
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
