"""Databases of either kind, opened and created by the backend that a net or a flag names."""

from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from caffepy.data.folder import Record, find_backend
from caffepy.data.leveldb import LevelDB, LevelDBWriter
from caffepy.data.lmdb import LMDB, LMDBWriter
from caffepy.errors import DataError
from caffepy.proto import DataParameter

BACKENDS = {"leveldb": DataParameter.LEVELDB, "lmdb": DataParameter.LMDB}  # as flags name them


class Database(Protocol):
    """Records in the order of their keys, read-only."""

    path: str

    def __len__(self) -> int:
        """How many records there are."""

    def keys(self) -> Iterator[bytes]:
        """Every key, in order."""

    def get(self, key: bytes) -> bytes | memoryview:
        """The value of a key; DataError where there is none."""

    def records(self, start: int = 0, step: int = 1) -> Iterator[Record]:
        """Every `step`th record from number `start` on, beginning again at the end; endless."""

    def epoch(self, number: int) -> int:
        """How often the records have ended before the one of this number; the first epoch is 0."""


class Writer(Protocol):
    """A new database, which appears under its name, whole, at the end of a `with`."""

    def __enter__(self) -> Self:
        """Begin to write."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the database its name, or leave nothing behind where there is an exception."""

    def check(self, key: bytes) -> None:
        """Raise DataError for a key that this kind of database does not take."""

    def put(self, key: bytes, value: bytes) -> None:
        """Add a record; its key is not in the database yet."""


def open_database(
    path: str | PathLike[str],
    backend: DataParameter.DB | None = None,
    stated: str = "backend",
) -> Database:
    """The database in a folder, of the kind that the folder holds.

    DataError where it holds none, or another than `backend`; `stated` says where that was named.
    """
    found = find_backend(path)
    if backend is not None and backend != found:
        raise DataError(
            f"{stated} is {DataParameter.DB.Name(backend)}, but {path} is a database of backend "
            f"{DataParameter.DB.Name(found)}"
        )
    return LMDB(path) if found == DataParameter.LMDB else LevelDB(path)


def create_database(
    path: str | PathLike[str], backend: DataParameter.DB, folder: Path | None = None
) -> Writer:
    """A writer of a new database of this kind; DataError where its name is taken.

    folder: is filled, or gone on with, in place of a passing one; it does not take the name.
    """
    writer = LMDBWriter if backend == DataParameter.LMDB else LevelDBWriter
    return writer(path, folder)
