from pathlib import Path

import numpy as np
import pytest

from caffepy.cli.main import main
from caffepy.data.pca import read_pca
from caffepy.proto import DataParameter
from tests.data.databases import ramp, write_images

IMAGE = np.array([[[0, 7, 10], [100, 7, 10]], [[0, 7, 50], [100, 7, 50]]], np.uint8)


@pytest.fixture(autouse=True)
def databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory: an LMDB and a LevelDB of one image, and one in grey."""
    monkeypatch.chdir(tmp_path)
    write_images(Path("db"), [IMAGE])
    write_images(Path("level"), [IMAGE], backend=DataParameter.LEVELDB)
    write_images(Path("grey"), [ramp(2, 3, 1)])


@pytest.mark.parametrize("words", [["db"], ["level"], ["-backend", "leveldb", "level"]], ids=str)
def test_writes_and_prints(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compute_image_pca", *words, "pca.txt"]) == 0

    assert capsys.readouterr().out == (
        "2500 along (b, g, r) = (1.0000, 0.0000, 0.0000)\n"
        "400 along (b, g, r) = (0.0000, 0.0000, 1.0000)\n"
        "0 along (b, g, r) = (0.0000, 1.0000, 0.0000)\n"
    )
    assert read_pca("pca.txt").values.tolist() == [2500, 400, 0]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param(["db"], 2, "required: OUTPUT_FILE", id="no file"),
        pytest.param(["none", "pca.txt"], 1, "none: no such database", id="no database"),
        pytest.param(["grey", "pca.txt"], 1, "record '00' has 1 channels", id="grey"),
        pytest.param(["db", "none/pca.txt"], 1, "no folder 'none'", id="no folder"),
        pytest.param(["--backend=lmdb", "level", "x"], 1, "--backend is LMDB, but", id="backend"),
    ],
)
def test_refuses(
    words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compute_image_pca", *words]) == code

    assert message in capsys.readouterr().err
    assert not Path("pca.txt").exists()
