from pathlib import Path

import pytest

from caffepy.data.folder import Record, check_free, check_target, find_backend, new_folder
from caffepy.errors import DataError
from caffepy.proto import DataParameter
from tests.data.databases import write_records


@pytest.mark.parametrize("backend", [DataParameter.LMDB, DataParameter.LEVELDB])
def test_finds_the_backend(tmp_path: Path, backend: DataParameter.DB) -> None:
    assert find_backend(write_records(tmp_path / "db", backend=backend)) == backend


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("none", "none: no such database$", id="missing"),
        pytest.param("fil", "fil: no such database; did you mean 'file'\\?$", id="misspelt"),
        pytest.param("file", "file: is a file; give the database's folder$", id="file"),
        pytest.param("", r": not a database: neither data.mdb \(LMDB\) nor CURRENT", id="folder"),
    ],
)
def test_finds_no_backend(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DataError, match=message):
        find_backend(tmp_path / name)


def test_a_record_names_itself() -> None:
    assert str(Record("train_db", b"000002", b"value")) == "train_db: record '000002'"


def test_a_new_folder_takes_its_name_at_the_end(tmp_path: Path) -> None:
    with new_folder(tmp_path / "db") as folder:
        (folder / "file").touch()
        assert not (tmp_path / "db").exists()

    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == [
        "db",
        "db/file",
    ]


def test_a_new_folder_is_gone_after_an_exception(tmp_path: Path) -> None:
    def interrupted() -> None:
        with new_folder(tmp_path / "db") as folder:
            (folder / "file").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert list(tmp_path.iterdir()) == []


def test_a_new_folder_has_the_rights_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with new_folder(tmp_path / "db"):
        pass

    assert (tmp_path / "db").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_refuses_a_name_taken_meanwhile(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"db: cannot be written: "), new_folder(tmp_path / "db"):
        (tmp_path / "db").touch()

    assert [path.name for path in tmp_path.iterdir()] == ["db"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("folder", "folder: exists already; remove it", id="folder"),
        pytest.param("file", "file: exists already; remove it", id="file"),
        pytest.param("link", "link: exists already; remove it", id="broken link"),
        pytest.param("none/db", r"there is no folder '.*none'$", id="no parent"),
    ],
)
def test_refuses_a_name_that_is_not_free(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")

    with pytest.raises(DataError, match=message):
        check_free(tmp_path / name)


def test_checks_the_target_before_the_work(tmp_path: Path) -> None:
    check_target(tmp_path / "mean.binaryproto")

    with pytest.raises(DataError, match="is a folder; give the name of a file"):
        check_target(tmp_path)
    with pytest.raises(DataError, match=r"there is no folder '.*none'"):
        check_target(tmp_path / "none" / "mean.binaryproto")
