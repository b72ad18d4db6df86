"""LevelDB databases: a folder of records in the order of their keys, read and written."""

import contextlib
import fcntl
import os
import tempfile
import weakref
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Self

from caffepy.data.folder import EmptyDatabaseError, Record, check_free, find_backend, new_folder
from caffepy.errors import DataError
from caffepy.proto import DataParameter

if TYPE_CHECKING:
    import plyvel

FILES_OPEN = 100  # as in Caffe
BLOCK = 1 << 16  # as in Caffe
BYTES_HELD = 1 << 26  # in memory before a file of the database is written
OWN = ("LOCK", "LOG", "LOG.old")  # files that each opening of a database makes anew


class LevelDB:
    """A database, read-only; opened when first used, so that it can be sent to other processes.

    LevelDB itself lets one process at a time open a folder, and writes to it even to read. Here a
    passing folder of links to the database's files is opened in its stead: any number of processes
    read it, no file of it changes, and it may lie on a read-only disk.

    DataError, naming the folder, where there is no such database, it is empty or damaged, or
    another program has it open and may be writing it.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._database: plyvel.DB | None = None
        self._view = ""
        self._count: int | None = None

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.path,)

    def __len__(self) -> int:
        """How many records there are; LevelDB keeps no count, so that the first call counts."""
        if self._count is None:
            self._count = sum(1 for _ in self.keys())
        return self._count

    def epoch(self, number: int) -> int:
        """How often the records have ended before the one of this number; the first epoch is 0.

        0 as long as nobody came to the end, which tells how many there are.
        """
        return number // self._count if self._count else 0

    def keys(self) -> Iterator[bytes]:
        """Every key, in order."""
        with self._reading() as database, database.iterator(include_value=False) as keys:
            yield from keys

    def get(self, key: bytes) -> bytes:
        """The value of a key; DataError where there is none."""
        with self._reading() as database:
            value: bytes | None = database.get(key, fill_cache=False)
        if value is None:
            raise DataError(f"{self.path}: no record {os.fsdecode(key)!r}")
        return value

    def records(self, start: int = 0, step: int = 1) -> Iterator[Record]:
        """Every `step`th record from number `start` on, beginning again at the end; endless."""
        with self._reading() as database, database.raw_iterator(fill_cache=False) as cursor:
            cursor.seek_to_first()
            place = self._forward(cursor, 0, start)
            while True:
                record = Record(self.path, cursor.key(), cursor.value())
                place = self._forward(cursor, place, step)  # counted, where this was the last one
                yield record

    def _forward(self, cursor: "plyvel.RawIterator", place: int, steps: int) -> int:
        """Move a cursor on, from the last record to the first; the place it comes to."""
        left = steps % self._count if self._count else steps
        while left:
            cursor.next()
            place += 1
            left -= 1
            if not cursor.valid():
                self._count = place
                cursor.seek_to_first()
                place = 0
                left %= self._count
        return place

    @contextlib.contextmanager
    def _reading(self) -> Iterator["plyvel.DB"]:
        try:
            yield self._open()
        except plyvel_module().Error as error:
            text = reason(error).replace(self._view, self.path)
            raise DataError(f"{self.path}: damaged LevelDB: {text}") from error

    def _open(self) -> "plyvel.DB":
        if self._database is None:
            check_closed(self.path)
            with contextlib.ExitStack() as stack:
                passing = tempfile.TemporaryDirectory(prefix="caffepy.leveldb.")
                self._view = stack.enter_context(passing)
                database = open_view(self.path, self._view)
                stack.callback(database.close)
                check_filled(self.path, database)
                self._database = database
                weakref.finalize(self, stack.pop_all().close)
        return self._database


def plyvel_module() -> ModuleType:
    """The library that reads and writes LevelDB; DataError where it is not installed."""
    try:
        import plyvel
    except ModuleNotFoundError as error:
        raise DataError(
            "LevelDB databases take plyvel, which is not installed: pip install 'caffepy[leveldb]'"
        ) from error
    module: ModuleType = plyvel
    return module


def check_closed(path: str) -> None:
    """Raise DataError where the folder holds no LevelDB, or another process has it open."""
    if find_backend(path) != DataParameter.LEVELDB:
        raise DataError(f"{path}: an LMDB database, not a LevelDB")
    lock = Path(path) / "LOCK"
    if not lock.exists():
        return
    try:
        with lock.open("rb") as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DataError(
            f"{path}: another program has this LevelDB open and may be writing it; let it end first"
        ) from error
    except OSError as error:
        raise DataError(f"{lock}: {error.strerror}") from error


def open_view(path: str, view: str) -> "plyvel.DB":
    """Open the database of one folder in another, where links to its files are laid.

    What LevelDB does when it opens a database, it does there: the files it replaces are links.
    """
    plyvel = plyvel_module()
    for file in Path(path).absolute().iterdir():
        if file.name not in OWN:
            (Path(view) / file.name).symlink_to(file)
    try:
        return plyvel.DB(view, max_open_files=FILES_OPEN, paranoid_checks=True)
    except plyvel.Error as error:
        text = reason(error).replace(view, path)
        raise DataError(f"{path}: cannot be opened as a LevelDB: {text}") from error


def check_filled(path: str, database: "plyvel.DB") -> None:
    """Raise DataError for a database without records."""
    with database.iterator(include_value=False) as keys:
        if next(keys, None) is None:
            raise EmptyDatabaseError(f"{path}: an empty database: it holds no records")


def reason(error: Exception) -> str:
    """What LevelDB said; plyvel hands it on as bytes."""
    said = error.args[0]
    return os.fsdecode(said) if isinstance(said, bytes) else str(error)


class LevelDBWriter:
    """Writes a new database: `with LevelDBWriter(path) as writer: writer.put(key, value)`.

    It appears under its name, whole, at the end of the `with`, and not at all where that is left by
    an exception. Given a `folder`, it is filled or gone on with instead, and stays where it is, with
    what was put into it. DataError where the name is taken, or the disk is full.
    """

    def __init__(self, path: str | PathLike[str], folder: Path | None = None) -> None:
        self.path = Path(path)
        self._place = new_folder(path) if folder is None else contextlib.nullcontext(folder)
        self._plyvel = plyvel_module()
        check_free(path)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._folder = stack.enter_context(self._place)
            with self._writing():
                self._database = self._open()
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def _open(self) -> "plyvel.DB":
        return self._plyvel.DB(
            str(self._folder),
            create_if_missing=True,
            write_buffer_size=BYTES_HELD,
            block_size=BLOCK,
        )

    def check(self, key: bytes) -> None:
        """Raise DataError for a key that LevelDB does not take; it takes any."""

    def put(self, key: bytes, value: bytes) -> None:
        """Add a record."""
        with self._writing():
            self._database.put(key, value)

    def _finish(self, kind: type[BaseException] | None, *_details: object) -> None:
        self._database.close()
        if kind is None:
            with self._writing():
                self._open().close()  # what it holds in its log goes into files, and to the disk

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except self._plyvel.Error as error:
            text = reason(error).replace(str(self._folder), str(self.path))
            raise DataError(f"{self.path}: cannot be written: {text}") from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)
