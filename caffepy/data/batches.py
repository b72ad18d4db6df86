"""A database's records as batches, read ahead in the background while a net computes."""

import logging
import os
import weakref
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffepy.data.datum import Planes, decode, parse_datum
from caffepy.data.lmdb import LMDB, Record
from caffepy.data.transform import Draws, Shape, Transform, sized
from caffepy.errors import DataError
from caffepy.proto import Datum

logger = logging.getLogger(__name__)

DECODERS = os.cpu_count() or 1  # threads: Pillow decodes without Python's lock


@dataclass(frozen=True)
class Stream:
    """Which records of a database are read, in the order of their keys, epoch after epoch.

    Record r of the endless stream goes to rank r % world; those before `position` went out before.
    """

    database: LMDB
    seed: int
    rank: int
    world: int
    position: int

    def records(self) -> Iterator[Record]:
        """This rank's records."""
        return self.database.records(self.position + self.rank, self.world)


class Batch(NamedTuple):
    """Records stacked: pixels (N, C, h, w), cropped, uint8 or float32; labels (N,), float32."""

    pixels: Tensor
    labels: Tensor
    draws: Draws


class Batches:
    """The batches of a stream, `depth` of them prepared ahead, in order.

    Raw records are read by one thread; encoded ones are decoded by `decoders` more. The batches do
    not depend on how many. What goes wrong on the way is raised by `read`, again and again. The
    threads end with this object, or with the program.
    """

    def __init__(
        self,
        stream: Stream,
        transform: Transform,
        size: int,
        depth: int,
        pinned: bool = False,
        decoders: int = DECODERS,
    ) -> None:
        self.position = stream.position
        self._stream = stream
        self._step = size * stream.world
        self._depth = depth
        self._ahead: deque[Future[Batch]] = deque()
        self._pool = ThreadPoolExecutor(decoders, "decoder")
        self._reader = ThreadPoolExecutor(1, "reader")
        self._batches = Reader(stream, transform, size, pinned, self._pool).batches()
        weakref.finalize(self, stop, self._reader, self._pool)

    def read(self) -> Batch:
        """The next batch, waited for where it is not ready."""
        while len(self._ahead) < self._depth:
            self._ahead.append(self._reader.submit(next, self._batches))
        batch = self._ahead[0].result()
        self._ahead.popleft()
        self._ahead.append(self._reader.submit(next, self._batches))
        self._log_restarts(self.position, self.position + self._step)
        self.position += self._step
        return batch

    def _log_restarts(self, start: int, end: int) -> None:
        count = len(self._stream.database)
        if self._stream.rank == 0:
            for _ in range(end // count - start // count):
                logger.info("Restarting data prefetching from start.")


def stop(*executors: ThreadPoolExecutor) -> None:
    """Let threads end after what they are doing."""
    for executor in executors:
        executor.shutdown(wait=False, cancel_futures=True)


class Reader:
    """What happens to records, one batch after the other, in one thread."""

    def __init__(
        self,
        stream: Stream,
        transform: Transform,
        size: int,
        pinned: bool,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._stream = stream
        self._transform = transform
        self._size = size
        self._pinned = pinned
        self._pool = pool

    def batches(self) -> Iterator[Batch]:
        """Without end."""
        records = self._stream.records()
        offsets = np.arange(self._size, dtype=np.uint64) * np.uint64(self._stream.world)
        first = self._stream.position + self._stream.rank
        while True:
            yield self._batch(list(islice(records, self._size)), np.uint64(first) + offsets)
            first += self._size * self._stream.world

    def _batch(self, records: list[Record], numbers: NDArray[np.uint64]) -> Batch:
        datums = [parse_datum(record.value, record) for record in records]
        images = self._images(records, datums)
        sizes = np.array([image.shape[1:] for image in images])
        shape = self._shape(records, images)
        draws = self._transform.draw(self._stream.seed, numbers, sizes)
        whole = any(image.dtype != np.uint8 for image in images)
        pixels = torch.empty(
            (len(images), *shape),
            dtype=torch.float32 if whole else torch.uint8,
            pin_memory=self._pinned,
        )
        _, height, width = shape
        corners = zip(draws.top.tolist(), draws.left.tolist(), strict=True)
        for target, image, (top, left) in zip(pixels.numpy(), images, corners, strict=True):
            target[...] = image[:, top : top + height, left : left + width]
        labels = torch.tensor([datum.label for datum in datums], dtype=torch.float32)
        return Batch(pixels, labels, draws)

    def _images(self, records: list[Record], datums: list[Datum]) -> list[Planes]:
        spread = self._pool.map if datums[0].encoded else map
        color = [self._transform.color] * len(datums)
        return list(spread(decode, datums, color, records))

    def _shape(self, records: list[Record], images: list[Planes]) -> Shape:
        """The cropped shape that all records share, which is the first's."""
        first = images[0].shape
        shape = self._transform.window(first, records[0])
        for record, image in zip(records, images, strict=True):
            if image.shape != first and self._transform.window(image.shape, record) != shape:
                raise DataError(
                    f"{self._transform.owner}: {record} is {sized(image.shape)}, but the first of "
                    f"its batch, {os.fsdecode(records[0].key)!r}, is {sized(first)}"
                )
        return shape
