"""What blobs of a net hold, item by item, into databases and files."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caffepy.data.database import BACKENDS, Writer, create_database
from caffepy.data.datum import float_record
from caffepy.errors import DataError

KINDS = (*BACKENDS, "hdf5", "npy")

Append = Callable[[NDArray[np.float32]], None]


@contextmanager
def feature_writer(kind: str, path: str, blob: str) -> Iterator[Append]:
    """Make a database or a file, and give what appends items (n, *item) of a blob to it.

    kind: one of KINDS. "lmdb", "leveldb": a record an item, under its number, `0000000012`, shaped
    as Caffe sees the item: its axes, up to 3, are channels, height and width. "hdf5": a dataset
    named as the blob; "npy": NumPy's file of one array.

    It has its name, whole, at the end of the `with`, and is gone where that is left by an
    exception. DataError where it cannot be written, or an item has more axes than it takes.
    """
    if kind in BACKENDS:
        with create_database(path, BACKENDS[kind]) as writer:
            yield record_by_record(writer, blob)
        return
    with passing_name(path) as name:
        if kind == "hdf5":
            from caffepy.data.hdf5_writer import HDF5Writer  # loads torch

            file = HDF5Writer(str(name))
            yield lambda items: file.append(**{blob: items})
        else:
            with growing_array(name, blob) as append:
                yield append


def record_by_record(writer: Writer, blob: str) -> Append:
    """Append items to a database, as Caffe's extract_features does."""
    numbers = count()

    def append(items: NDArray[np.float32]) -> None:
        if items.ndim > 4:
            raise DataError(
                f"blob {blob!r} has shape {items.shape}; a record has 3 axes an item, hdf5 and npy "
                "take any number"
            )
        for item in items.reshape(*items.shape, *(1,) * (4 - items.ndim)):
            writer.put(b"%010d" % next(numbers), float_record(item))

    return append


@contextmanager
def passing_name(path: str) -> Iterator[Path]:
    """A name beside `path` for a file that takes this name at the end of the `with`."""
    target = Path(path)
    passing = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        yield passing
        passing.replace(target)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if passing.exists():  # else a read-only disk would refuse
            passing.unlink()


@contextmanager
def growing_array(path: Path, blob: str) -> Iterator[Append]:
    """Write a .npy file whose first axis grows: NumPy leaves room for that in the header."""
    shape: list[int] = []
    with path.open("wb") as file:

        def header() -> None:
            facts = {"descr": "<f4", "fortran_order": False, "shape": tuple(shape)}
            np.lib.format.write_array_header_1_0(file, facts)

        def append(items: NDArray[np.float32]) -> None:
            if not shape:
                shape.extend((0, *items.shape[1:]))
                header()
            if tuple(shape[1:]) != items.shape[1:]:
                raise DataError(
                    f"items of blob {blob!r} have shape {items.shape[1:]} now, and had "
                    f"{tuple(shape[1:])} before"
                )
            file.write(np.ascontiguousarray(items, "<f4").data)
            shape[0] += len(items)

        yield append
        file.seek(0)
        header()
