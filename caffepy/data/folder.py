"""The folders of databases: which kind one holds, how a new one appears, under which names."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from caffepy.errors import DataError, near_file
from caffepy.proto import DataParameter

LARGE = 1 << 15  # bytes of a record, from which on copying it takes longer than not copying it


class EmptyDatabaseError(DataError):
    """A database that holds no records."""


class Record(NamedTuple):
    """One value of a database, and where it stands; str() of it names it in messages."""

    database: str
    key: bytes
    value: bytes | memoryview

    def __str__(self) -> str:
        return f"{self.database}: record {os.fsdecode(self.key)!r}"


def find_backend(path: str | PathLike[str]) -> DataParameter.DB:
    """Which kind of database a folder holds; DataError where it holds none."""
    folder = Path(path)
    if not folder.exists():
        raise DataError(f"{path}: no such database{near_file(folder)}")
    if not folder.is_dir():
        raise DataError(f"{path}: is a file; give the database's folder")
    if (folder / "data.mdb").exists():
        return DataParameter.LMDB
    if (folder / "CURRENT").exists():
        return DataParameter.LEVELDB
    raise DataError(f"{path}: not a database: neither data.mdb (LMDB) nor CURRENT (LevelDB) in it")


@contextlib.contextmanager
def new_folder(path: str | PathLike[str]) -> Iterator[Path]:
    """A folder to be filled, under a passing name beside `path`, which it takes at the end.

    It is gone where the `with` is left by an exception. DataError where it cannot be made, or
    something in it cannot be written.
    """
    target = Path(path)
    try:
        with tempfile.TemporaryDirectory(
            prefix=f".{target.name}.", dir=target.absolute().parent
        ) as passing:
            folder = Path(passing) / "db"
            folder.mkdir()
            yield folder
            folder.rename(target)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error


def check_free(path: str | PathLike[str]) -> None:
    """Raise DataError where no new database can get this name."""
    target = Path(path)
    if target.exists() or target.is_symlink():
        raise DataError(f"{path}: exists already; remove it, or give another name")
    if not target.absolute().parent.is_dir():
        raise DataError(f"{path}: there is no folder {str(target.parent)!r}")


def check_target(path: str | PathLike[str]) -> None:
    """Raise DataError where no file can have this name, before the work that goes into it."""
    target = Path(path)
    if target.is_dir():
        raise DataError(f"{path}: is a folder; give the name of a file")
    if not target.parent.is_dir():
        raise DataError(f"{path}: there is no folder {str(target.parent)!r}")
