"""Rows of HDF5 files, file after file, epoch after epoch."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffepy.errors import CaffeError, DataError, near
from caffepy.proto.files import HDF5_SIGNATURE, unreadable

if TYPE_CHECKING:
    import h5py

SYSTEM_SAID = re.compile(r"error message = '([^']*)'")
BLOCK = 1 << 22  # bytes by which a file in memory grows


class Contents(NamedTuple):
    """What a file holds of the datasets asked for: how many rows, and the shape of a row of each."""

    rows: int
    shapes: list[tuple[int, ...]]


def read_list(source: str) -> list[Path]:
    """The files that a text list names, one a line, relative to the working directory.

    Raises DataError where there is no list, it names nothing, or files it names do not exist.
    """
    try:
        text = Path(source).read_bytes()
    except OSError as error:
        raise DataError(f"list of HDF5 files: {unreadable(source, error)}") from error
    if text.startswith(HDF5_SIGNATURE):
        raise DataError(f"{source} is an HDF5 file; expected a text list of such files, one a line")
    lines = (line.strip() for line in os.fsdecode(text).splitlines())
    paths = [Path(name).absolute() for line in lines if line for name in names_in(line)]
    if not paths:
        raise DataError(f"list of HDF5 files {source!r} names no file")
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise DataError(f"{source} names files that do not exist: {', '.join(missing)}")
    return paths


def names_in(line: str) -> list[str]:
    """The file that a line names; or several, which Caffe parts at white space, if all are there."""
    words = line.split()
    several = not Path(line).exists() and all(Path(word).exists() for word in words)
    return words if several else [line]


class HDF5Rows:
    """An endless stream of rows: those of all the files of a list, and again from the first.

    Row r is the same whenever it is asked for: with `shuffle`, the order of the files and of the
    rows in a file are drawn anew for each epoch, from (seed, epoch) alone. One file at a time is in
    memory.

    Args:
        source: a text list of HDF5 files.
        names: of the datasets; all of a file have the same number of rows.
        shuffle: whether rows come in random order.
        seed: what that order is drawn from.

    Raises:
        DataError: h5py is not installed, or the list, a file or a dataset is not as it must be.
    """

    def __init__(self, source: str, names: Sequence[str], *, shuffle: bool, seed: int) -> None:
        self.names = list(names)
        self.shuffle = shuffle
        self.seed = seed % 2**64  # NumPy's generators refuse negative seeds
        self.paths = read_list(source)
        contents = [_contents(path, self.names) for path in self.paths]
        self.shapes = contents[0].shapes
        for path, other in zip(self.paths, contents, strict=True):
            if other.shapes != self.shapes:
                raise DataError(
                    f"{path} has rows of shapes {other.shapes} in {', '.join(self.names)}, but "
                    f"{self.paths[0]} has {self.shapes}"
                )
        self.rows = np.array([content.rows for content in contents])
        self.rows_an_epoch = int(self.rows.sum())
        self._loaded = -1
        self._data: list[Tensor] = []
        self._files = lru_cache(maxsize=1)(self._order_files)
        self._permutation = lru_cache(maxsize=1)(self._order_rows)

    def batch(self, start: int, count: int, step: int = 1) -> list[Tensor]:
        """Rows start, start + step, ... of the stream: float32, (count, *row shape) for each name."""
        batch = [torch.empty(count, *shape) for shape in self.shapes]
        filled = 0
        while filled < count:
            epoch, offset = divmod(start + filled * step, self.rows_an_epoch)
            files, firsts = self._files(epoch)
            place = int(np.searchsorted(firsts, offset, side="right")) - 1
            file, first = int(files[place]), offset - int(firsts[place])
            left = range(first, int(self.rows[file]), step)[: count - filled]
            rows = torch.arange(left.start, left.stop, step)
            if self.shuffle:
                rows = self._permutation(epoch, file)[rows]
            self._copy(file, rows, [part[filled : filled + len(left)] for part in batch])
            filled += len(left)
        return batch

    def _order_files(self, epoch: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The files in the order of an epoch, and at which row of the epoch each begins."""
        files = np.arange(len(self.paths))
        if self.shuffle:
            files = np.random.default_rng((self.seed, epoch)).permutation(files)
        ends = np.cumsum(self.rows[files])
        return files, ends - self.rows[files]

    def _order_rows(self, epoch: int, file: int) -> Tensor:
        """The rows of a file in the shuffled order of an epoch."""
        rng = np.random.default_rng((self.seed, epoch, file))
        return torch.from_numpy(rng.permutation(int(self.rows[file])))

    def _copy(self, file: int, rows: Tensor, parts: list[Tensor]) -> None:
        """Copy these rows of a file, which is loaded where it is not the last one asked for."""
        if file != self._loaded:
            self._loaded, self._data = -1, []  # so that two files are never in memory
            with open_hdf5(self.paths[file]) as opened:
                self._data = [_read(opened[name]) for name in self.names]
            self._loaded = file
        for part, data in zip(parts, self._data, strict=True):
            torch.index_select(data, 0, rows, out=part)


@contextmanager
def open_hdf5(
    path: str | Path, refusal: type[CaffeError] = DataError, mode: str = "r"
) -> Iterator["h5py.File"]:
    """An HDF5 file, open for reading, or as h5py's `mode` says.

    `refusal` is what a file raises that cannot be read, or written.
    """
    h5py = import_h5py(path, refusal)
    try:
        with h5py.File(path, mode) as opened:
            yield opened
    except CaffeError:
        raise
    except (OSError, RuntimeError) as error:  # h5py raises the latter where it cannot close
        done = "read" if mode == "r" else "written"
        raise refusal(f"{path} cannot be {done} as an HDF5 file: {reason(error)}") from error


def reason(error: Exception) -> str:
    """What the system said, where HDF5 tells of it among the rest; else all that HDF5 says."""
    said = SYSTEM_SAID.search(str(error))
    return said[1] if said else str(error)


def hdf5_bytes(
    path: str | Path, fill: Callable[["h5py.File"], object], refusal: type[CaffeError] = DataError
) -> bytes:
    """The bytes of an HDF5 file that `fill` makes in memory, to be written whole as any bytes are.

    `refusal` is raised, naming the file they are for, where h5py is missing.
    """
    h5py = import_h5py(path, refusal)
    with h5py.File(str(path), "w", driver="core", backing_store=False, block_size=BLOCK) as file:
        fill(file)
        file.flush()
        image: bytes = file.id.get_file_image()
    return image


def import_h5py(path: str | Path, refusal: type[CaffeError] = DataError) -> ModuleType:
    """The library for HDF5 files; `refusal`, naming the file it is for, where it is missing."""
    try:
        import h5py
    except ImportError as error:
        raise refusal(
            f"{path}: HDF5 files take h5py, which is not installed: pip install 'caffepy[hdf5]'"
        ) from error
    return cast("ModuleType", h5py)


def _contents(path: Path, names: list[str]) -> Contents:
    """What a file holds, without reading its numbers."""
    with open_hdf5(path) as opened:
        shapes = [_shape(path, opened, name) for name in names]
    rows = {name: shape[0] for name, shape in zip(names, shapes, strict=True)}
    if len(set(rows.values())) > 1:
        counts = ", ".join(f"{name!r} has {count}" for name, count in rows.items())
        raise DataError(f"{path}: its datasets differ in their number of rows: {counts}")
    if shapes[0][0] == 0:
        raise DataError(f"{path}: dataset {names[0]!r} has no rows")
    return Contents(shapes[0][0], [shape[1:] for shape in shapes])


def _shape(path: Path, opened: "h5py.File", name: str) -> tuple[int, ...]:
    """The shape of a dataset of numbers."""
    import h5py

    if not isinstance(opened.get(name), h5py.Dataset):
        raise DataError(
            f"{path} has no dataset {name!r}, which a top is named after; "
            f"it has: {', '.join(opened)}{near(name, opened)}"
        )
    dataset = opened[name]
    if dataset.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: dataset {name!r} holds {dataset.dtype}; floats and integers are allowed"
        )
    if not dataset.shape:
        raise DataError(f"{path}: dataset {name!r} has no axes; its first axis must count the rows")
    return tuple(dataset.shape)


def _read(dataset: "h5py.Dataset") -> Tensor:
    """A dataset as float32, converted while it is read."""
    data = np.empty(dataset.shape, np.float32)
    dataset.read_direct(data)
    return torch.from_numpy(data)
