"""LMDB databases: a folder of records in the order of their keys, read and written."""

import contextlib
import os
import shutil
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice, repeat
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

import lmdb
import numpy as np

from caffepy.data.folder import (
    LARGE,
    EmptyDatabaseError,
    Record,
    check_free,
    find_backend,
    new_folder,
)
from caffepy.errors import DataError
from caffepy.proto import DataParameter

LONGEST_KEY = 511
FIRST_MAP = 1 << 24
RECORDS_HELD = 1000  # of an open transaction, as Caffe's tools commit
BYTES_HELD = 1 << 23  # few enough to stay in a cache; of large records a commit is cheap
LOOK = 32  # records between two looks at whether somebody writes

# LMDB forbids one process to open the same files twice, but two layers may read one database:
# they share its environment for as long as one of them is there.
_environments: dict["FileKey", "Shared"] = {}
_opening = threading.RLock()  # a database may be let go while another is opened

FileKey = tuple[int, int]  # device and inode


@dataclass
class Shared:
    """An open environment, and how many read it."""

    environment: lmdb.Environment
    users: int = 0


class LMDB:
    """A database, read-only; opened when first used, so that it can be sent to other processes.

    DataError, naming the folder, where there is no such database, or it is empty or cut short.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._environment: lmdb.Environment | None = None

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.path,)

    def __len__(self) -> int:
        return self._count

    def epoch(self, number: int) -> int:
        """How often the records have ended before the one of this number; the first epoch is 0."""
        return number // len(self)

    @cached_property
    def _count(self) -> int:
        return self._open().stat()["entries"]

    def keys(self) -> Iterator[bytes]:
        """Every key, in order."""
        with self._cursor() as cursor:
            yield from map(bytes, cursor.iternext(keys=True, values=False))

    def get(self, key: bytes) -> bytes | memoryview:
        """The value of a key, a view where it is large; DataError where there is none."""
        with self._cursor() as cursor:
            if cursor.set_key(key):
                value = cursor.value()
                return bytes(value) if len(value) < LARGE else self._held(value)
        raise DataError(f"{self.path}: no record {os.fsdecode(key)!r}")

    def records(self, start: int = 0, step: int = 1) -> Iterator[Record]:
        """Every `step`th record from number `start` on, beginning again at the end; endless.

        DataError where another process writes to the database meanwhile: what is read is locked
        against nobody, and its pages may be used again.
        """
        with self._cursor() as cursor:
            version = self._version()
            cursor.first()
            forward(cursor, start % len(self))
            items = chain.from_iterable(passes(cursor)) if step == 1 else strides(cursor, step)
            while self._version() == version:
                for key, value in islice(items, LOOK):
                    held = bytes(value) if len(value) < LARGE else self._held(value)
                    yield Record(self.path, bytes(key), held)
            raise DataError(
                f"{self.path}: was written to while it was read; start again when it is complete"
            )

    def _held(self, value: memoryview) -> memoryview:
        """A view of the map that keeps it open, in place of a copy of much."""
        mapped = np.frombuffer(value, np.uint8).view(Mapped)
        mapped.database = self
        return mapped.data

    def _version(self) -> int:
        """The number of the last change to the database."""
        return self._open().info()["last_txnid"]

    @contextlib.contextmanager
    def _cursor(self) -> Iterator["lmdb.Cursor[memoryview]"]:
        try:
            with self._open().begin(buffers=True) as transaction, transaction.cursor() as cursor:
                yield cursor
        except lmdb.Error as error:
            raise DataError(f"{self.path}: damaged LMDB: {error}") from error

    def _open(self) -> lmdb.Environment:
        if self._environment is None:
            with _opening:
                key, shared = open_environment(self.path)
                shared.users += 1
                self._environment = shared.environment
            weakref.finalize(self, release, key)
        return self._environment


class Mapped(np.ndarray[tuple[int], np.dtype[np.uint8]]):
    """Bytes of a database's map. It is open as long as anybody has them, or a view of them."""

    database: LMDB


def forward(cursor: "lmdb.Cursor[memoryview]", steps: int) -> None:
    """Move a cursor on, from the last record to the first."""
    for _ in repeat(None, steps):
        if not cursor.next():
            cursor.first()


def passes(cursor: "lmdb.Cursor[memoryview]") -> Iterator[Iterator[tuple[memoryview, memoryview]]]:
    """From where a cursor is to the last record, and then all records again and again."""
    while True:
        yield cursor.iternext()
        cursor.first()


def strides(
    cursor: "lmdb.Cursor[memoryview]", step: int
) -> Iterator[tuple[memoryview, memoryview]]:
    """Every `step`th record from where a cursor is, beginning again at the end; endless."""
    while True:
        yield cursor.item()
        forward(cursor, step)


def open_environment(path: str) -> tuple[FileKey, Shared]:
    """The process's one read-only environment of a database; DataError where it is unusable."""
    if find_backend(path) != DataParameter.LMDB:
        raise DataError(f"{path}: a LevelDB database, not an LMDB")
    status = (Path(path) / "data.mdb").stat()
    key = status.st_dev, status.st_ino
    if key in _environments:
        return key, _environments[key]
    if not status.st_size:
        raise DataError(f"{path}: cut short: data.mdb is empty")
    try:
        environment = lmdb.open(path, readonly=True, lock=False, create=False)
    except lmdb.Error as error:
        text = str(error).removeprefix(f"{path}: ")
        raise DataError(f"{path}: cannot be opened as an LMDB: {text}") from error
    _check_whole(path, status.st_size, environment)
    _environments[key] = Shared(environment)
    return key, _environments[key]


def release(key: FileKey) -> None:
    """One reader fewer; the last one closes the environment."""
    with _opening:
        shared = _environments[key]
        shared.users -= 1
        if not shared.users:
            del _environments[key]
            shared.environment.close()


def _check_whole(path: str, size: int, environment: lmdb.Environment) -> None:
    """A page beyond the end of the file would kill the process when it is touched."""
    statistics = environment.stat()
    needed = (environment.info()["last_pgno"] + 1) * statistics["psize"]
    if size < needed:
        environment.close()
        raise DataError(f"{path}: cut short: data.mdb has {size} bytes of at least {needed}")
    if not statistics["entries"]:
        environment.close()
        raise EmptyDatabaseError(f"{path}: an empty database: it holds no records")


class LMDBWriter:
    """Writes a new database: `with LMDBWriter(path) as writer: writer.put(key, value)`.

    It appears under its name, whole, at the end of the `with`, and not at all where that is left by
    an exception. Given a `folder`, it is filled or gone on with instead, and stays where it is, with
    what was put into it also where the user interrupts. DataError where the name is taken, the disk
    is full, or a key is too long.
    """

    def __init__(self, path: str | PathLike[str], folder: Path | None = None) -> None:
        self.path = Path(path)
        self._place = new_folder(path) if folder is None else contextlib.nullcontext(folder)
        self._held: list[tuple[bytes, bytes]] = []
        self._bytes = 0
        check_free(path)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            folder = str(stack.enter_context(self._place))
            with self._writing():
                self._environment = lmdb.open(folder, map_size=FIRST_MAP, sync=False, mode=0o666)
            stack.push(self._finish)
            self._stack = stack.pop_all()
        return self

    def check(self, key: bytes) -> None:
        """Raise DataError for a key that LMDB does not take."""
        if not 0 < len(key) <= LONGEST_KEY:
            raise DataError(
                f"key {os.fsdecode(key)!r} has {len(key)} bytes; LMDB takes 1 to {LONGEST_KEY}"
            )

    def put(self, key: bytes, value: bytes) -> None:
        """Add a record; its key is not in the database yet."""
        self.check(key)
        self._held.append((key, value))
        self._bytes += len(value)
        if len(self._held) >= RECORDS_HELD or self._bytes >= BYTES_HELD:
            self._commit()

    def _commit(self) -> None:
        while not self._fits():
            self._environment.set_mapsize(2 * self._environment.info()["map_size"])
        self._held.clear()
        self._bytes = 0

    def _fits(self) -> bool:
        """Write the held records in one transaction; False, and none written, on a full map."""
        try:
            with (
                self._writing(),
                self._environment.begin(write=True) as transaction,
                transaction.cursor() as cursor,
            ):
                cursor.putmulti(self._held)
        except lmdb.MapFullError:
            return False
        return True

    def _finish(self, kind: type[BaseException] | None, *_details: object) -> None:
        with contextlib.closing(self._environment), self._writing():
            if kind in (None, KeyboardInterrupt):
                self._commit()
                self._environment.sync(True)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except lmdb.MapFullError:
            raise
        except lmdb.Error as error:
            free = shutil.disk_usage(self.path.absolute().parent).free
            raise DataError(  # LMDB calls a full disk an input/output error
                f"{self.path}: cannot be written: {error}; {free // 10**6} MB are free on its disk"
            ) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)
