"""CIFAR-10's binary files become databases."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caffepy.data.database import BACKENDS, create_database
from caffepy.errors import DataError
from caffepy.proto import Datum

logger = logging.getLogger(__name__)

SIZE, CHANNELS, CLASSES = 32, 3, 10
RECORD = 1 + CHANNELS * SIZE * SIZE  # a label, then red, green and blue, row by row
RECORDS = 10_000  # of a batch
TRAIN = [f"data_batch_{number}.bin" for number in range(1, 6)]
TEST = ["test_batch.bin"]


def convert_cifar(folder: Path, target: Path, kind: str) -> None:
    """Store five batches and one in the new databases cifar10_train_KIND and cifar10_test_KIND.

    KIND is "lmdb" or "leveldb". Keys are the images' numbers, `00012`. The channels stay in the
    files' order, red first, as Caffe stores them. DataError, and no database, where a batch is
    missing, cut short or holds a label that is no class, or a database exists.

    Source: caffe/examples/cifar10/convert_cifar_data.cpp
    """
    for name in [*TRAIN, *TEST]:
        check_batch(folder / name)
    train, test = (target / f"cifar10_{part}_{kind}" for part in ("train", "test"))
    backend = BACKENDS[kind]
    with create_database(train, backend) as writer, create_database(test, backend) as test_writer:
        logger.info("Writing Training data")
        for number, name in enumerate(TRAIN):
            logger.info("Training Batch %d", number + 1)
            for index, record in enumerate(records(folder / name), number * RECORDS):
                writer.put(b"%05d" % index, record)
        logger.info("Writing Testing data")
        for index, record in enumerate(records(folder / TEST[0])):
            test_writer.put(b"%05d" % index, record)


def check_batch(path: Path) -> None:
    """Raise DataError for a file that is no batch."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    if size != RECORDS * RECORD:
        raise DataError(
            f"{path}: {size} bytes; a batch of CIFAR-10 has {RECORDS * RECORD}, "
            f"{RECORDS} images of 1 + {CHANNELS}x{SIZE}x{SIZE} bytes"
        )


def records(path: Path) -> Iterator[bytes]:
    """The images of a batch, as the messages that databases hold."""
    try:
        batch: NDArray[np.uint8] = np.fromfile(path, np.uint8).reshape(RECORDS, RECORD)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    labels = batch[:, 0].tolist()
    if max(labels) >= CLASSES:
        first = next(index for index, label in enumerate(labels) if label >= CLASSES)
        raise DataError(f"{path}: image {first} has label {labels[first]}; classes are 0 to 9")
    for label, image in zip(labels, batch[:, 1:], strict=True):
        datum = Datum(channels=CHANNELS, height=SIZE, width=SIZE, data=image.tobytes(), label=label)
        yield datum.SerializeToString()
