from pathlib import Path

import pytest

from caffepy.cli.main import main
from caffepy.data.database import open_database

IMAGES = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3]) + b"abcdef"
LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 2]) + bytes([4, 9])


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory: two images of 1x3 and their labels."""
    monkeypatch.chdir(tmp_path)
    Path("images").write_bytes(IMAGES)
    Path("labels").write_bytes(LABELS)


@pytest.mark.parametrize("flags", [[], ["-backend", "lmdb"], ["--backend=leveldb"]], ids=str)
def test_converts(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert_mnist_data", *flags, "images", "labels", "db"]) == 0

    assert "] A total of 2 items.\n" in capsys.readouterr().err
    assert list(open_database("db").keys()) == [b"00000000", b"00000001"]


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        pytest.param(["images", "labels"], 2, "required: DB_FILE", id="no database"),
        pytest.param(["labels", "images", "db"], 1, "labels: not an IDX file", id="other order"),
        pytest.param(["images", "labels", "none/db"], 1, "no folder 'none'", id="no folder"),
        pytest.param(["images", "labels", "images"], 1, "exists already", id="name taken"),
        pytest.param(["--backend=x", "images", "labels", "db"], 2, "choose from", id="backend"),
    ],
)
def test_refuses(
    argv: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert_mnist_data", *argv]) == code

    assert message in capsys.readouterr().err
    assert not Path("db").exists()
