import json
from pathlib import Path

import pytest

from caffepy.data.database import create_database, open_database
from caffepy.data.unfinished import keys_in, unfinished
from caffepy.errors import DataError
from caffepy.proto import DataParameter

LMDB = DataParameter.LMDB
FACTS = {"list": "abc", "gray": "False"}


def begin(path: Path, *keys: bytes, resume: bool = False) -> None:
    """Put records into a database, and be interrupted."""
    with pytest.raises(KeyboardInterrupt):
        put_and_stop(path, keys, resume)


def put_and_stop(path: Path, keys: tuple[bytes, ...], resume: bool) -> None:
    with (
        unfinished(path, FACTS, resume=resume) as folder,
        create_database(path, LMDB, folder) as writer,
    ):
        for key in keys:
            writer.put(key, b"value")
        raise KeyboardInterrupt


@pytest.mark.parametrize("backend", [LMDB, DataParameter.LEVELDB])
def test_takes_its_name_at_the_end(tmp_path: Path, backend: DataParameter.DB) -> None:
    path = tmp_path / "db"

    with unfinished(path, FACTS, resume=False) as folder:
        assert not path.exists()
        with create_database(path, backend, folder) as writer:
            writer.put(b"1", b"value")

    assert list(open_database(path, backend).keys()) == [b"1"]
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_interrupted_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "db"
    begin(path, b"1", b"2")
    begin(path, b"3", resume=True)

    with unfinished(path, FACTS, resume=True) as folder:
        assert keys_in(folder) == {b"1", b"2", b"3"}

    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_kept_of_what_has_no_records(tmp_path: Path) -> None:
    begin(tmp_path / "db")

    assert list(tmp_path.iterdir()) == []


def test_a_program_that_was_killed_before_its_first_record(tmp_path: Path) -> None:
    """Nothing is tidied up then; the folder may hold no database, or an empty one."""
    build = tmp_path / "db.unfinished"
    (build / "db").mkdir(parents=True)
    (build / "build.json").write_text(json.dumps(FACTS))

    with unfinished(tmp_path / "db", FACTS, resume=True) as folder:
        assert keys_in(folder) == set()
        with create_database(tmp_path / "db", LMDB, folder):
            pass
        assert keys_in(folder) == set()


def test_is_neither_begun_twice_nor_gone_on_with_if_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with (
        pytest.raises(DataError, match=r"db\.unfinished: there is no unfinished database"),
        unfinished(path, FACTS, resume=True),
    ):
        pass
    begin(path, b"1")

    with (
        pytest.raises(DataError, match="begun before and not finished; --resume goes on"),
        unfinished(path, FACTS, resume=False),
    ):
        pass
    assert keys_in(tmp_path / "db.unfinished" / "db") == {b"1"}


def test_refuses_other_facts(tmp_path: Path) -> None:
    begin(tmp_path / "db", b"1")

    with (
        pytest.raises(DataError, match="was begun with gray False, and now it is True"),
        unfinished(tmp_path / "db", {**FACTS, "gray": "True"}, resume=True),
    ):
        pass


def test_one_program_at_a_time(tmp_path: Path) -> None:
    with unfinished(tmp_path / "db", FACTS, resume=False) as folder:
        (folder / "x").touch()
        with (
            pytest.raises(DataError, match="another program is writing it"),
            unfinished(tmp_path / "db", FACTS, resume=True),
        ):
            pass
        assert (folder / "x").exists()


def test_a_damaged_note_of_the_facts(tmp_path: Path) -> None:
    begin(tmp_path / "db", b"1")
    (tmp_path / "db.unfinished" / "build.json").write_text("{")

    with (
        pytest.raises(DataError, match=r"build\.json: damaged"),
        unfinished(tmp_path / "db", FACTS, resume=True),
    ):
        pass


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()

    with (
        pytest.raises(DataError, match="db: exists already"),
        unfinished(tmp_path / "db", FACTS, resume=True),
    ):
        pass
