"""The principal components of a database's colours, along which lighting varies."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from caffepy.data.ahead import WORKERS, begin_ahead
from caffepy.data.database import Database
from caffepy.data.datum import decode, parse_datum
from caffepy.data.folder import Record
from caffepy.data.images import read_file
from caffepy.errors import DataError
from caffepy.proto.files import write_plain

HEADER = "# caffepy image pca, BGR, 0-255"
FORMAT = f"line 1 is {HEADER!r}, then three lines `eigenvalue b g r`"
NEARLY = 1e-3  # how far from unit vectors, at right angles, rounded numbers may be
AHEAD = 16  # records in memory for each thread


@dataclass(frozen=True)
class Pca:
    """How pixels (blue, green, red), from 0 to 255, vary around their mean.

    values: (3,), the variance along each vector, the largest first.
    vectors: (3, 3), a unit vector (b, g, r) in each row, at right angles to the others; the largest
        of its numbers is positive.
    """

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]


@dataclass
class Sums:
    """Over pixels: how many, the sum of each, and of each product of two of blue, green and red."""

    count: int
    first: NDArray[np.float64]  # (3,)
    second: NDArray[np.float64]  # (3, 3)

    def add(self, other: "Sums") -> None:
        """Take the pixels of another in."""
        self.count += other.count
        self.first += other.first
        self.second += other.second


def compute_pca(database: Database, progress: Callable[[int, int], None]) -> Pca:
    """The components of the covariance of all pixels of a database, whatever their images' sizes.

    Every pixel counts the same. Sums are of float64, exact for bytes up to 10^11 pixels. Image
    files in records are read in colour, raw records must have 3 channels. `progress` is told how
    many of how many records are done. DataError where a record is no image in colour.

    Source: Krizhevsky et al., ImageNet Classification with Deep CNNs (2012), section 4.1.
    """
    count = len(database)
    total = Sums(0, np.zeros(3), np.zeros((3, 3)))
    records: Iterator[Record] = islice(database.records(), count)
    pool = ThreadPoolExecutor(WORKERS)
    with pool, closing(begin_ahead(pool, add_up, records, AHEAD)) as begun:
        for done, (_, made) in enumerate(begun, 1):
            total.add(made.result())
            progress(done, count)
    mean = total.first / total.count
    return components(total.second / total.count - np.outer(mean, mean))


def add_up(record: Record) -> Sums:
    """The sums over the pixels of one record."""
    image = decode(parse_datum(record.value, record), True, record)
    if len(image) != 3:
        raise DataError(f"{record} has {len(image)} channels; colours have 3: blue, green, red")
    pixels = image.reshape(3, -1).astype(np.float64)
    if not np.isfinite(pixels).all():
        raise DataError(f"{record} holds numbers that are not finite")
    return Sums(pixels.shape[1], pixels.sum(axis=1), pixels @ pixels.T)


def components(covariance: NDArray[np.float64]) -> Pca:
    """The eigenvalues and eigenvectors of a covariance (3, 3)."""
    values, columns = np.linalg.eigh(covariance)
    vectors = columns.T[::-1]
    largest = np.abs(vectors).argmax(axis=1)
    signs = np.sign(vectors[np.arange(3), largest])
    return Pca(values[::-1].clip(0), vectors * signs[:, None])


def write_pca(path: str | PathLike[str], pca: Pca) -> None:
    """Write components as text: a header, then `eigenvalue b g r` a line, the largest first.

    The file is written whole or not at all; SnapshotError where it cannot be.
    """
    rows = np.column_stack([pca.values, pca.vectors]).tolist()
    lines = [HEADER, *(" ".join(map(repr, row)) for row in rows)]
    write_plain(str(path), "\n".join(lines) + "\n")


def read_pca(path: str | PathLike[str]) -> Pca:
    """Read what `write_pca` writes; DataError, naming the line, for anything else."""
    text = read_file(path).decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) != 4 or lines[0] != HEADER:
        raise DataError(f"{path}: not a file of compute_image_pca: {FORMAT}")
    rows = np.array([numbers(line, f"{path}:{n}") for n, line in enumerate(lines[1:], 2)])
    values, vectors = rows[:, 0], rows[:, 1:]
    if (values < 0).any() or (np.diff(values) > 0).any():
        raise DataError(
            f"{path}: the eigenvalues are {values.tolist()}; they are variances, the largest first"
        )
    if np.abs(vectors @ vectors.T - np.eye(3)).max() > NEARLY:
        raise DataError(f"{path}: the vectors have not length 1, or are not at right angles")
    return Pca(values, vectors)


def numbers(line: str, where: str) -> list[float]:
    """The eigenvalue and vector of a line."""
    try:
        row = [float(word) for word in line.split()]
    except ValueError as error:
        raise DataError(f"{where}: {line!r} is not `eigenvalue b g r`") from error
    if len(row) != 4 or not all(map(math.isfinite, row)):
        raise DataError(f"{where}: {line!r} is not `eigenvalue b g r`, four finite numbers")
    return row
