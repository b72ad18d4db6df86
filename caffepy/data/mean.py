"""The mean image of a database, which a net subtracts from what it sees."""

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import islice
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caffepy.data.ahead import WORKERS, begin_ahead
from caffepy.data.database import Database
from caffepy.data.datum import decode, parse_datum
from caffepy.data.folder import Record
from caffepy.errors import DataError
from caffepy.proto.arrays import to_blob
from caffepy.proto.files import write_binary

logger = logging.getLogger(__name__)

GROUP = 16  # records that one thread adds up
AHEAD = 4  # groups in memory for each thread
PROGRESS = 10_000

Sum = NDArray[np.uint32] | NDArray[np.float64]  # (C, H, W)


def compute_mean(database: Database, progress: Callable[[int, int], None]) -> NDArray[np.float64]:
    """The mean (C, H, W) of all images of a database, blue first, decoded on all cores.

    `progress` is told how many of how many records are done. Sums are exact for bytes, in float64
    for other numbers. DataError where a record cannot be decoded, or two records differ in size,
    which are named.

    Source: caffe/tools/compute_image_mean.cpp
    """
    count = len(database)
    first = next(database.records())
    total = np.zeros(decoded(first).shape)
    logger.info("Starting iteration")
    done = 0
    work = partial(add_up, first=first, shape=total.shape)
    pool = ThreadPoolExecutor(WORKERS)
    with pool, closing(begin_ahead(pool, work, groups(database, count), AHEAD)) as begun:
        for records, made in begun:
            total += made.result()
            before, done = done, done + len(records)
            if done // PROGRESS > before // PROGRESS:
                logger.info("Processed %d files.", done // PROGRESS * PROGRESS)
            progress(done, count)
    if done % PROGRESS:
        logger.info("Processed %d files.", done)
    return total / count


def write_mean(mean: NDArray[np.float64], path: str | PathLike[str]) -> None:
    """Write a mean (C, H, W) as Caffe does: four axes, 1xCxHxW, of float32.

    The file is written whole or not at all; SnapshotError where it cannot be.
    """
    logger.info("Write to %s", path)
    blob = to_blob(mean)
    blob.ClearField("shape")
    blob.num, (blob.channels, blob.height, blob.width) = 1, mean.shape
    write_binary(Path(path), blob)


def groups(database: Database, count: int) -> Iterator[list[Record]]:
    """The database's records, GROUP at a time."""
    records = islice(database.records(), count)
    while group := list(islice(records, GROUP)):
        yield group


def decoded(record: Record) -> NDArray[np.uint8] | NDArray[np.float32]:
    """The image of a record (C, H, W), as it lies in the database."""
    return decode(parse_datum(record.value, record), None, record)


def add_up(records: list[Record], first: Record, shape: tuple[int, ...]) -> Sum:
    """The sum of some images, which all have the shape of the first of their database."""
    images = [decoded(record) for record in records]
    for record, image in zip(records, images, strict=True):
        if image.shape != shape:
            raise DataError(
                f"{record} is {sized(image.shape)}, but the first, {os.fsdecode(first.key)!r}, is "
                f"{sized(shape)}; all must have one size, which convert_imageset gives them with "
                "--resize-height and --resize-width"
            )
    exact = all(image.dtype == np.uint8 for image in images)
    total: Sum = np.zeros(shape, np.uint32) if exact else np.zeros(shape)
    for image in images:
        np.add(total, image, out=total)
    return total


def sized(shape: tuple[int, ...]) -> str:
    """A shape in words."""
    channels, height, width = shape
    return f"{channels} channels x {height} rows x {width} columns"
