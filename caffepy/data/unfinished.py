"""A database in the making that outlives an interruption, so that it can be gone on with."""

import fcntl
import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from caffepy.data.database import open_database
from caffepy.data.folder import EmptyDatabaseError, check_free
from caffepy.errors import DataError, SnapshotError
from caffepy.proto.files import write_plain

logger = logging.getLogger(__name__)

FACTS = "build.json"

Facts = Mapping[str, str]  # what it is made of, by the words for it


@contextmanager
def unfinished(path: str | PathLike[str], facts: Facts, *, resume: bool) -> Iterator[Path]:
    """The folder of a database that will be `path` at the end of the `with`.

    Until then it is `path`.unfinished/db, and stays there where the `with` is left by an exception,
    or the program is killed, if it holds records by then. With `resume` it is gone on with, if it
    was made of the same `facts`.

    DataError where the name is taken; where there is an unfinished database without `resume`, or
    none with it; and where its facts are others.
    """
    check_free(path)
    build = Path(f"{Path(path)}.unfinished")
    if not resume:
        begin(build, facts, path)
    with locked(build):
        check_facts(build, facts)
        try:
            yield build / "db"
        except BaseException:
            keep_or_remove(build)
            raise
    try:
        (build / "db").rename(path)
        shutil.rmtree(build)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from error


def begin(build: Path, facts: Facts, path: str | PathLike[str]) -> None:
    """Make the folder of a new database."""
    if build.exists():
        raise DataError(
            f"{build}: {path} was begun before and not finished; --resume goes on with it; to begin "
            "anew, remove that folder"
        )
    try:
        (build / "db").mkdir(parents=True)
        write_plain(build / FACTS, json.dumps(facts, indent=1))
    except (OSError, SnapshotError) as error:
        shutil.rmtree(build, ignore_errors=True)
        raise DataError(f"{path}: cannot be written: {error}") from error


@contextmanager
def locked(build: Path) -> Iterator[None]:
    """Meanwhile, let no other program go on with this database."""
    if not (build / FACTS).is_file():
        raise DataError(f"{build}: there is no unfinished database to go on with")
    with (build / FACTS).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(f"{build}: another program is writing it; let it end first") from error
        yield


def check_facts(build: Path, facts: Facts) -> None:
    """Raise DataError where an unfinished database was begun with other facts."""
    try:
        before = json.loads((build / FACTS).read_bytes())
    except ValueError as error:
        raise DataError(f"{build / FACTS}: damaged: {error}") from error
    for name in sorted({*before, *facts}):
        if before.get(name) != facts.get(name):
            raise DataError(
                f"{build}: was begun with {name} {before.get(name)}, and now it is "
                f"{facts.get(name)}; give what it was begun with, or remove that folder"
            )


def keep_or_remove(build: Path) -> None:
    """Say that an unfinished database can be gone on with, or remove one without records."""
    count = len(keys_in(build / "db"))
    if not count:
        shutil.rmtree(build)
        return
    logger.warning(
        "%s holds the %d records that are done; the same command with --resume goes on",
        build,
        count,
    )


def keys_in(folder: Path) -> set[bytes]:
    """The keys of the records in the folder of a database, where there may be none yet."""
    if not any((folder / name).exists() for name in ("data.mdb", "CURRENT")):
        return set()
    try:
        return set(open_database(folder).keys())
    except EmptyDatabaseError:
        return set()
