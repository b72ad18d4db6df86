import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from caffepy.cli.main import main
from caffepy.data.transform import read_mean
from caffepy.proto import DataParameter
from tests.data.databases import write_images

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory: db, two images of which each channel has its own mean."""
    monkeypatch.chdir(tmp_path)
    dark = np.full((4, 6, 3), [10, 20, 30], np.uint8)
    write_images(tmp_path / "db", [dark, dark * 3])


@pytest.mark.parametrize("path", ["db", "db/", "./db", "../{}/db"], ids=str)
@pytest.mark.parametrize("flags", [[], ["--backend=lmdb"]], ids=["found out", "given"])
def test_writes_the_mean_and_logs_each_channels(
    capsys: pytest.CaptureFixture[str], path: str, flags: list[str]
) -> None:
    path = path.format(Path.cwd().name)
    assert main(["compute_image_mean", *flags, path, "mean.binaryproto"]) == 0

    out, err = capsys.readouterr()
    assert out == ""
    assert re.findall(r"^I.*\] (.*)$", err, re.MULTILINE) == [
        "Starting iteration",
        "Processed 2 files.",
        "Write to mean.binaryproto",
        "Number of channels: 3",
        "mean_value channel [0]: 20",
        "mean_value channel [1]: 40",
        "mean_value channel [2]: 60",
    ]
    mean = read_mean("mean.binaryproto")
    assert mean.shape == (3, 4, 6)
    assert mean[:, 0, 0].tolist() == mean[:, 3, 5].tolist() == [20, 40, 60]


def test_without_a_file_it_logs_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compute_image_mean", "db"]) == 0

    assert "] mean_value channel [2]: 60\n" in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["db"]


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        pytest.param(["none"], 1, "none: no such database", id="no database"),
        pytest.param(["db/data.mdb"], 1, "is a file; give the database's folder", id="a file"),
        pytest.param(["db", "none/mean"], 1, "there is no folder 'none'", id="no folder"),
        pytest.param(["db", "db"], 1, "db: is a folder; give the name of a file", id="a folder"),
        pytest.param(
            ["-backend=leveldb", "db"], 1, "--backend is LEVELDB, but db is", id="other backend"
        ),
        pytest.param(["-backend=sqlite", "db"], 2, "choose from", id="no backend"),
        pytest.param([], 2, "required: INPUT_DB", id="nothing"),
    ],
)
def test_refuses(
    capsys: pytest.CaptureFixture[str], argv: list[str], code: int, message: str
) -> None:
    assert main(["compute_image_mean", *argv]) == code

    assert message in capsys.readouterr().err


def test_reads_leveldb(capsys: pytest.CaptureFixture[str]) -> None:
    write_images(Path("level"), [np.full((4, 6, 1), 7, np.uint8)], backend=DataParameter.LEVELDB)

    assert main(["compute_image_mean", "-backend=leveldb", "level"]) == 0
    assert "] mean_value channel [0]: 7\n" in capsys.readouterr().err


def test_a_failure_keeps_the_mean_that_was_there(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mean").write_bytes(b"old")
    write_images(Path("mixed"), [np.zeros((2, 3, 1), np.uint8), np.zeros((3, 2, 1), np.uint8)])

    assert main(["compute_image_mean", "mixed", "mean"]) == 1

    assert "record '01' is 1 channels x 3 rows x 2 columns" in capsys.readouterr().err
    assert Path("mean").read_bytes() == b"old"


def test_the_tool_runs_from_any_folder() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "compute_image_mean", "db/", "mean"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )

    assert "] mean_value channel [1]: 40\n" in done.stderr
    assert Path("mean").exists()
