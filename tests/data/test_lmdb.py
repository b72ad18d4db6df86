import gc
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

import lmdb
import numpy as np
import pytest

from caffepy.data.folder import LARGE
from caffepy.data.lmdb import LMDB, LMDBWriter, open_environment
from caffepy.errors import DataError
from caffepy.proto import DataParameter
from tests.data.databases import write_records

write = partial(write_records, backend=DataParameter.LMDB)
level = partial(write_records, backend=DataParameter.LEVELDB)
GOLDEN = Path(__file__).parents[1] / "golden" / "data"


def test_reads_a_database_of_the_real_program(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes((GOLDEN / "gray_db" / "data.mdb").read_bytes())

    keys = list(LMDB(tmp_path).keys())

    assert [key.decode() for key in keys] == [
        "00000000_p0.png", "00000001_p1.png", "00000002_p2.png", "00000003_p3.png",
        "00000004_p4.png", "00000005_two words.jpg", "00000006_j1.jpg", "00000007_grey.png",
    ]  # fmt: skip


def test_writes_the_format_that_the_real_program_reads(tmp_path: Path) -> None:
    file = (write(tmp_path / "db") / "data.mdb").read_bytes()

    assert file[16:24] == b"\xde\xc0\xef\xbe\1\0\0\0"  # LMDB's mark, version 1


def test_two_readers_share_an_environment_while_either_lives(tmp_path: Path) -> None:
    one, two = LMDB(write(tmp_path / "db")), LMDB(f"{tmp_path}/./db")
    assert len(one) == len(two) == 5

    _, shared = open_environment(one.path)
    assert shared.users == 2
    del one
    gc.collect()

    assert shared.users == 1
    assert two.get(b"000000") == b"\0\0\0"


def test_a_database_is_open_as_long_as_a_large_value_of_it_is_seen(tmp_path: Path) -> None:
    path = str(tmp_path / "db")
    with LMDBWriter(path) as writer:
        writer.put(b"0", b"\7" * LARGE)
    database = LMDB(path)
    (record,), value = islice(database.records(), 1), database.get(b"0")
    part = np.frombuffer(value, np.uint8)[5:]
    _, shared = open_environment(path)

    del database, record, value
    gc.collect()
    assert shared.users == 1
    assert (part == 7).all()

    del part
    gc.collect()
    assert shared.users == 0


def test_a_database_can_be_opened_while_another_thread_lets_it_go(tmp_path: Path) -> None:
    path = write(tmp_path / "db")

    def read(_number: int) -> int:
        return len(LMDB(path))

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(read, range(200))) == {5}


def test_a_new_database_under_an_old_name_is_the_new_one(tmp_path: Path) -> None:
    old = LMDB(write(tmp_path / "db"))
    assert len(old) == 5
    (tmp_path / "db").rename(tmp_path / "moved")

    assert len(LMDB(write(tmp_path / "db", 9))) == 9
    assert len(old) == 5


def cut(path: Path, size: int) -> Path:
    with (path / "data.mdb").open("r+b") as file:
        file.truncate(size)
    return path


def empty(path: Path) -> Path:
    with lmdb.open(str(path), lock=False):
        return path


def overwritten(path: Path) -> Path:
    (path / "data.mdb").write_bytes(b"something else " * 999)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda path: path, "no such database", id="missing"),
        pytest.param(level, "a LevelDB database, not an LMDB", id="LevelDB"),
        pytest.param(
            lambda path: overwritten(write(path)),
            "cannot be opened as an LMDB: MDB_INV",
            id="garbage",
        ),
        pytest.param(empty, "an empty database", id="empty"),
        pytest.param(lambda path: cut(write(path), 0), "cut short: .* empty", id="cut to nothing"),
        pytest.param(
            lambda path: cut(write(path, 50, 5000), 99_999),
            "cut short: data.mdb has 99999 bytes of at least",
            id="cut short",
        ),
    ],
)
def test_refuses_to_read(tmp_path: Path, make: object, message: str) -> None:
    assert callable(make)
    path = make(tmp_path / "db")

    with pytest.raises(DataError, match=f"^{path}: {message}"):
        len(LMDB(path))


def test_the_map_grows_without_losing_records(tmp_path: Path) -> None:
    database = LMDB(write(tmp_path / "db", 2100, 20_000))  # 42 MB: several times the first map

    assert len(database) == 2100
    assert all(
        record.value == bytes([number % 256]) * 20_000
        for number, record in enumerate(islice(database.records(), 2100))
    )


FILL = """
import resource, sys
from caffepy.data.lmdb import LMDBWriter
from caffepy.errors import DataError
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    with LMDBWriter(sys.argv[1]) as writer:
        for number in range(3000):
            writer.put(b"%06d" % number, bytes(1000))
except DataError as error:
    print(error)
"""


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    assert resource.RLIMIT_FSIZE >= 0  # a limit on the size of files stands for the full disk
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path / "db")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )

    assert done.stdout.startswith(f"{tmp_path}/db: cannot be written: ")
    assert done.stdout.endswith(" MB are free on its disk\n")
    assert list(tmp_path.iterdir()) == []


APPEND = """
import lmdb, sys
with lmdb.open(sys.argv[1]) as environment, environment.begin(write=True) as transaction:
    transaction.put(b"9", b"new")
"""


@pytest.mark.parametrize("step", [1, 3])
def test_tells_when_another_process_writes_to_it(tmp_path: Path, step: int) -> None:
    with LMDBWriter(tmp_path / "db") as writer:
        for number in range(7):
            writer.put(b"%d" % number, b"old")
    records = LMDB(tmp_path / "db").records(step=step)
    next(records)

    subprocess.run([sys.executable, "-c", APPEND, tmp_path / "db"], check=True)

    with pytest.raises(DataError, match=r"/db: was written to while it was read; start again when"):
        list(islice(records, 40))


def test_what_was_written_before_is_read(tmp_path: Path) -> None:
    with LMDBWriter(tmp_path / "db") as writer:
        writer.put(b"0", b"old")
    subprocess.run([sys.executable, "-c", APPEND, tmp_path / "db"], check=True)

    found = [record.value for record in islice(LMDB(tmp_path / "db").records(), 100)]

    assert found == [b"old", b"new"] * 50


@pytest.mark.parametrize(("key", "length"), [(b"", 0), (b"k" * 512, 512)], ids=["empty", "long"])
def test_refuses_a_key_that_does_not_fit(tmp_path: Path, key: bytes, length: int) -> None:
    with (
        pytest.raises(DataError, match=f"has {length} bytes; LMDB takes 1 to 511"),
        LMDBWriter(tmp_path / "db") as writer,
    ):
        writer.put(key, b"value")
