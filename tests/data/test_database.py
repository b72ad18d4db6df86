import pickle
import re
from itertools import islice
from pathlib import Path

import pytest

from caffepy.data.database import BACKENDS, Database, create_database, open_database
from caffepy.errors import DataError
from caffepy.proto import DataParameter
from tests.data.databases import write_records

KINDS = [pytest.param(number, id=name) for name, number in BACKENDS.items()]


@pytest.fixture(params=KINDS)
def backend(request: pytest.FixtureRequest) -> DataParameter.DB:
    """Every kind of database that there is."""
    found: DataParameter.DB = request.param
    return found


@pytest.fixture
def database(tmp_path: Path, backend: DataParameter.DB) -> Database:
    """Five records of three bytes."""
    return open_database(write_records(tmp_path / "db", backend=backend))


def test_reads_what_was_written(database: Database) -> None:
    assert len(database) == 5
    assert list(database.keys()) == [b"%06d" % number for number in range(5)]
    assert database.get(b"000003") == b"\3\3\3"


@pytest.mark.parametrize(
    ("start", "step", "numbers"),
    [
        pytest.param(0, 1, [0, 1, 2, 3, 4, 0, 1], id="all"),
        pytest.param(3, 1, [3, 4, 0, 1, 2, 3, 4], id="from the middle"),
        pytest.param(13, 1, [3, 4, 0, 1, 2, 3, 4], id="from a later epoch"),
        pytest.param(10, 1, [0, 1, 2, 3, 4, 0, 1], id="from the beginning of an epoch"),
        pytest.param(1, 2, [1, 3, 0, 2, 4, 1, 3], id="every second"),
        pytest.param(0, 7, [0, 2, 4, 1, 3, 0, 2], id="steps longer than the database"),
        pytest.param(2, 5, [2, 2, 2, 2, 2, 2, 2], id="steps as long as the database"),
    ],
)
@pytest.mark.parametrize("counted", [False, True], ids=["not counted", "counted"])
def test_records_begin_again_at_the_end(
    database: Database, counted: bool, start: int, step: int, numbers: list[int]
) -> None:
    if counted:
        assert len(database) == 5

    records = list(islice(database.records(start, step), 7))

    assert [int(record.key) for record in records] == numbers
    assert [record.value for record in records] == [bytes([number]) * 3 for number in numbers]


def test_an_epoch_begins_after_the_last_record(database: Database) -> None:
    records = database.records()
    epochs = []
    for number in range(11):
        next(records)
        epochs.append(database.epoch(number + 1))

    assert epochs == [0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2]


def test_a_database_of_one_record(tmp_path: Path, backend: DataParameter.DB) -> None:
    database = open_database(write_records(tmp_path / "db", 1, backend=backend))

    assert [record.key for record in islice(database.records(3, 2), 3)] == [b"000000"] * 3


def test_goes_to_another_process(database: Database) -> None:
    assert len(database) == 5

    copy = pickle.loads(pickle.dumps(database))

    assert copy.get(b"000001") == b"\1\1\1"


def test_two_readers_at_once(database: Database) -> None:
    other = open_database(database.path)

    assert next(database.records(1)) == next(other.records(1))


def test_refuses_an_unknown_key(database: Database) -> None:
    with pytest.raises(DataError, match=r"db: no record 'nope'$"):
        database.get(b"nope")


@pytest.mark.parametrize("made", [Path.mkdir, Path.touch], ids=["folder", "file"])
def test_refuses_a_name_that_is_taken(
    tmp_path: Path, backend: DataParameter.DB, made: object
) -> None:
    assert callable(made)
    made(tmp_path / "db")

    with pytest.raises(DataError, match="db: exists already"):
        create_database(tmp_path / "db", backend)


def test_an_exception_leaves_nothing_behind(tmp_path: Path, backend: DataParameter.DB) -> None:
    def interrupted() -> None:
        with create_database(tmp_path / "db", backend) as writer:
            writer.put(b"key", b"value")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert list(tmp_path.iterdir()) == []


def test_nothing_appears_under_the_name_before_the_end(
    tmp_path: Path, backend: DataParameter.DB
) -> None:
    with create_database(tmp_path / "db", backend) as writer:
        writer.put(b"key", b"value")
        assert not (tmp_path / "db").exists()

    assert [path.name for path in tmp_path.iterdir()] == ["db"]


def test_refuses_an_empty_database(tmp_path: Path, backend: DataParameter.DB) -> None:
    path = write_records(tmp_path / "db", 0, backend=backend)

    with pytest.raises(DataError, match=r"db: an empty database: it holds no records$"):
        len(open_database(path))


@pytest.mark.parametrize(
    ("written", "asked", "names"),
    [
        pytest.param(DataParameter.LMDB, DataParameter.LEVELDB, ("LEVELDB", "LMDB"), id="LMDB"),
        pytest.param(DataParameter.LEVELDB, DataParameter.LMDB, ("LMDB", "LEVELDB"), id="LevelDB"),
    ],
)
def test_refuses_the_wrong_backend(
    tmp_path: Path, written: DataParameter.DB, asked: DataParameter.DB, names: tuple[str, str]
) -> None:
    path = write_records(tmp_path / "db", backend=written)

    with pytest.raises(
        DataError,
        match=f"^--backend is {names[0]}, but {re.escape(str(path))} is a database of "
        f"backend {names[1]}$",
    ):
        open_database(path, asked, "--backend")
