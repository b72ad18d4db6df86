"""MNIST's files, of images and of labels, become a database."""

import gzip
import logging
import zlib
from collections.abc import Callable
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from caffepy.data.database import Writer
from caffepy.data.datum import to_datum
from caffepy.data.images import read_file
from caffepy.errors import DataError

logger = logging.getLogger(__name__)

IMAGES = 2051  # the first four bytes: unsigned bytes over three axes
LABELS = 2049  # over one axis
AXES = {IMAGES: 3, LABELS: 1}
KINDS = {IMAGES: "images (3 axes)", LABELS: "labels (1 axis)"}
GZIPPED = b"\x1f\x8b"


def convert_mnist(
    images: str | PathLike[str],
    labels: str | PathLike[str],
    database: Writer,
    progress: Callable[[int, int], None],
) -> int:
    """Store each image, grey, and its label under its number, `00000012`; how many there are.

    `progress` is told how many of how many are done. DataError, and no database, where a file is
    not of its kind, is cut short, or they differ in how many items they have.

    Source: caffe/examples/mnist/convert_mnist_data.cpp
    """
    pixels, numbers = read_idx(images, IMAGES), read_idx(labels, LABELS)
    count, rows, columns = map(int, pixels.shape)
    if count != len(numbers):
        raise DataError(f"{images} has {count} images, but {labels} has {len(numbers)} labels")
    with database:
        logger.info("A total of %d items.", count)
        logger.info("Rows: %d Cols: %d", rows, columns)
        for number, (image, label) in enumerate(zip(pixels, numbers.tolist(), strict=True)):
            datum = to_datum(image[:, :, None], label)
            database.put(b"%08d" % number, datum.SerializeToString())
            progress(number + 1, count)
    logger.info("Processed %d files.", count)
    return count


def read_idx(path: str | PathLike[str], magic: int) -> NDArray[np.uint8]:
    """The numbers of an IDX file, plain or gzipped, in the shape that it states.

    magic: IMAGES, for (count, rows, columns), or LABELS, for (count,). DataError for another file,
    or one of another length than its shape demands.
    """
    data = unpacked(read_file(path), path)
    header = 4 + 4 * AXES[magic]
    begins = int.from_bytes(data[:4], "big")
    if len(data) < header or begins != magic:
        known = f"; {begins} is that of {KINDS[begins]}" if begins in KINDS else ""
        raise DataError(
            f"{path}: not an IDX file of {KINDS[magic]}: it begins with {begins} "
            f"and has {len(data)} bytes; the magic number is {magic}{known}"
        )
    shape = tuple(np.frombuffer(data, ">u4", AXES[magic], offset=4).tolist())
    needed = header + int(np.prod(shape, dtype=object))
    if len(data) != needed:
        what = "cut short" if len(data) < needed else "too long"
        raise DataError(f"{path}: {what}: {len(data)} bytes, and shape {shape} takes {needed}")
    if not needed > header:
        raise DataError(f"{path}: its shape is {shape}: there is nothing in it")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def unpacked(data: bytes, path: str | PathLike[str]) -> bytes:
    """What a gzipped file holds; other files as they are."""
    if not data.startswith(GZIPPED):
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: damaged gzip file: {error}") from error
