import gc
import subprocess
import sys
from functools import partial
from itertools import islice
from pathlib import Path

import plyvel
import pytest

from caffepy.data.datum import parse_datum
from caffepy.data.leveldb import LevelDB, LevelDBWriter
from caffepy.errors import DataError
from caffepy.proto import DataParameter
from tests.data.databases import write_records

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "data"

write = partial(write_records, backend=DataParameter.LEVELDB)
other = partial(write_records, backend=DataParameter.LMDB)


def state(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Of every file in a folder: which it is, its size, and when it changed."""
    return {
        path.name: (path.stat().st_ino, path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.iterdir()
    }


def views(folder: Path) -> list[Path]:
    """The passing folders that databases are read by."""
    return list(folder.glob("caffepy.leveldb.*"))


@pytest.fixture
def passing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_reads_what_leveldb_itself_wrote(tmp_path: Path) -> None:
    written = plyvel.DB(str(tmp_path / "db"), create_if_missing=True)
    written.put(b"two", b"2")
    written.put(b"one", b"1")
    written.close()

    database = LevelDB(tmp_path / "db")

    assert [(record.key, record.value) for record in islice(database.records(), 3)] == [
        (b"one", b"1"),
        (b"two", b"2"),
        (b"one", b"1"),
    ]


def test_reads_a_database_of_the_real_program() -> None:
    database = LevelDB(GOLDEN / "leveldb_db")

    keys = [b"%08d_s%d.png" % (number, number) for number in range(9)]
    assert list(database.keys()) == keys
    datum = parse_datum(database.get(keys[3]))
    assert (datum.channels, datum.height, datum.width, datum.label) == (3, 32, 24, 3)
    assert len(datum.data) == 3 * 32 * 24


def test_leveldb_itself_reads_what_was_written(tmp_path: Path) -> None:
    written = plyvel.DB(str(write(tmp_path / "db")))

    assert list(written) == [(b"%06d" % number, bytes([number]) * 3) for number in range(5)]
    written.close()


def test_reading_changes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "db"
    written = plyvel.DB(str(path), create_if_missing=True)
    written.put(b"in the log", b"value")
    written.close()
    before = state(path)

    database = LevelDB(path)
    assert len(database) == 1
    del database
    gc.collect()

    assert state(path) == before


READ = """
import sys
from caffepy.data.leveldb import LevelDB
print(len(LevelDB(sys.argv[1])))
"""


def test_another_process_reads_it_too(tmp_path: Path) -> None:
    database = LevelDB(write(tmp_path / "db"))
    assert len(database) == 5

    done = subprocess.run(
        [sys.executable, "-c", READ, database.path],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )

    assert done.stdout == "5\n"
    assert database.get(b"000000") == b"\0\0\0"


def test_what_it_is_read_by_goes_with_the_last_reader(tmp_path: Path, passing: Path) -> None:
    database = LevelDB(write(tmp_path / "db"))
    assert views(passing) == []
    records = database.records()
    next(records)
    assert len(views(passing)) == 1

    del database
    gc.collect()
    assert next(records).key == b"000001"
    del records
    gc.collect()

    assert views(passing) == []


HOLD = """
import sys, plyvel
database = plyvel.DB(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def test_refuses_a_database_that_is_being_written(tmp_path: Path) -> None:
    path = write(tmp_path / "db")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"

        with pytest.raises(DataError, match=r"db: another program has this LevelDB open"):
            len(LevelDB(path))
        holder.communicate()

    assert len(LevelDB(path)) == 5


def without(path: Path, pattern: str) -> Path:
    for file in path.glob(pattern):
        file.unlink()
    return path


def overwritten(path: Path, pattern: str) -> Path:
    for file in path.glob(pattern):
        file.write_bytes(b"something else " * 99)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda path: path, "no such database", id="missing"),
        pytest.param(other, "an LMDB database, not a LevelDB", id="LMDB"),
        pytest.param(
            lambda path: without(write(path), "*.ldb"), "cannot be opened as a", id="no table"
        ),
        pytest.param(
            lambda path: without(write(path), "MANIFEST*"),
            "cannot be opened as a",
            id="no manifest",
        ),
        pytest.param(
            lambda path: overwritten(write(path), "MANIFEST*"), "cannot be opened", id="manifest"
        ),
        pytest.param(lambda path: overwritten(write(path), "*.ldb"), "damaged LevelDB", id="table"),
    ],
)
def test_refuses_to_read(tmp_path: Path, passing: Path, make: object, message: str) -> None:
    assert callable(make)
    path = make(tmp_path / "db")

    with pytest.raises(DataError, match=f"^{path}: {message}") as caught:
        len(LevelDB(path))

    assert str(passing) not in str(caught.value)
    assert "b'" not in str(caught.value)
    assert views(passing) == []


def test_without_plyvel_the_error_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "db")
    monkeypatch.setitem(sys.modules, "plyvel", None)
    message = r"plyvel, which is not installed: pip install 'caffepy\[leveldb\]'$"

    with pytest.raises(DataError, match=message):
        len(LevelDB(path))
    with pytest.raises(DataError, match=message):
        LevelDBWriter(tmp_path / "new")


def test_keys_of_any_length(tmp_path: Path) -> None:
    with LevelDBWriter(tmp_path / "db") as writer:
        for key in (b"", b"k" * 5000):
            writer.check(key)
            writer.put(key, b"value")

    assert list(LevelDB(tmp_path / "db").keys()) == [b"", b"k" * 5000]


def test_nothing_is_left_in_the_log(tmp_path: Path) -> None:
    path = write(tmp_path / "db", 50, 1000)

    assert [file.stat().st_size for file in path.glob("*.log")] == [0]


FILL = """
import resource, sys
from caffepy.data.leveldb import LevelDBWriter
from caffepy.errors import DataError
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    with LevelDBWriter(sys.argv[1]) as writer:
        for number in range(3000):
            writer.put(b"%06d" % number, bytes(1000))
except DataError as error:
    print(error)
"""


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path / "db")],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )  # a limit on the size of files stands for the full disk

    assert done.stdout.startswith(f"{tmp_path}/db: cannot be written: ")
    assert list(tmp_path.iterdir()) == []
