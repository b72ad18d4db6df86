"""`caffepy detect`: what Detector says, as a table or as HDF5."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import caffepy.pycaffe as caffe
from caffepy.cli.main import main
from tests.pycaffe.deployed import write_image, write_net

ROOT = Path(__file__).parents[2]
NEEDED = ["--model_def", "deploy.prototxt", "--pretrained_model", "net.caffemodel"]
LISTED = [*NEEDED, "--crop_mode", "list", "--context_pad", "1"]
WINDOWS = """\
filename, xmin, ymin, xmax, ymax
one.png,3,2,9,8
two.png,1,0,6.0,5
one.png,0,0,15,12
"""
FOUND = [("one.png", (2, 3, 8, 9)), ("one.png", (0, 0, 12, 15)), ("two.png", (0, 1, 5, 6))]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_net(tmp_path)
    write_image(Path("one.png"), 12, 15, 1)
    write_image(Path("two.png"), 9, 7, 2)
    Path("windows.csv").write_text(WINDOWS)


def expected(context_pad: int = 1, mean: np.ndarray | None = None) -> np.ndarray:
    net = caffe.Detector(
        "deploy.prototxt", "net.caffemodel", mean, None, 255, (2, 1, 0), context_pad
    )
    return np.stack([net.detect_windows([(n, [w])])[0]["prediction"] for n, w in FOUND])


def test_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "windows.csv", "out.csv", *LISTED]) == 0

    with Path("out.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == [
        *("filename", "ymin", "xmin", "ymax", "xmax"),
        *("class0", "class1", "class2", "class3", "class4"),
    ]
    assert [(row[0], tuple(map(int, row[1:5]))) for row in rows] == FOUND
    scores = np.array([row[5:] for row in rows], np.float32)
    np.testing.assert_allclose(scores, expected(), rtol=1e-5)
    assert "Processed 3 windows in " in capsys.readouterr().out


def test_hdf5() -> None:
    assert main(["detect", "windows.csv", "out.h5", *LISTED]) == 0

    with h5py.File("out.h5") as file:
        assert [name.decode() for name in file["filename"]] == [name for name, _ in FOUND]
        assert file["window"][:].tolist() == [[*window] for _, window in FOUND]
        np.testing.assert_allclose(file["prediction"], expected(), rtol=1e-5)


def test_a_mean_of_pixels_is_averaged() -> None:
    np.save("mean.npy", np.arange(3 * 4 * 5.0).reshape(3, 4, 5))
    flags = ["--mean_file", "mean.npy", "--context_pad", "0"]

    assert main(["detect", "windows.csv", "out.h5", *NEEDED, "--crop_mode=list", *flags]) == 0

    with h5py.File("out.h5") as file:
        wanted = expected(0, np.array([9.5, 29.5, 49.5]))
        np.testing.assert_allclose(file["prediction"], wanted, rtol=1e-4)


@pytest.mark.slow
def test_the_script() -> None:
    script = ROOT / "tools" / "detect"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, str(script), "windows.csv", "out.csv", *LISTED]
    subprocess.run(argv, check=True, env=environment)

    assert len(Path("out.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("filename,xmin,ymin,xmax\n", "no column ymax", id="column"),
        pytest.param(
            "filename,ymin,xmin,ymax,xmax\none.png,1,2,x,4\n",
            "windows.csv:2: a corner is 'x'",
            id="no number",
        ),
        pytest.param(
            "filename,ymin,xmin,ymax,xmax\none.png,1,2,3\n",
            "windows.csv:2: a corner is None",
            id="short line",
        ),
        pytest.param(
            "filename,ymin,xmin,ymax,xmax\none.png,1,2,3.5,4\n", "a corner is '3.5'", id="half"
        ),
        pytest.param(
            "filename,ymin,xmin,ymax,xmax\none.png,90,2,95,4\n",
            "one.png: window (ymin, xmin, ymax, xmax) = (90.0, 2.0, 95.0, 4.0) has no pixel",
            id="outside",
        ),
        pytest.param("filename,ymin,xmin,ymax,xmax\n", "there are no images", id="none"),
    ],
)
def test_windows_that_are_none(capsys: pytest.CaptureFixture[str], text: str, message: str) -> None:
    Path("windows.csv").write_text(text)

    assert main(["detect", "windows.csv", "out.csv", *LISTED]) == 1

    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        pytest.param(["windows.csv", "out.csv", *NEEDED], 2, "INPUT is a .txt", id="kind of file"),
        pytest.param(
            ["list.txt", "out.csv", *NEEDED, "--context_pad=1"],
            1,
            "selective search needs the package",
            id="no search",
        ),
        pytest.param(
            ["none.csv", "out.csv", *LISTED], 1, "none.csv: cannot read the windows", id="no file"
        ),
        pytest.param(
            ["windows.csv", "no/out.csv", *LISTED], 1, "there is no folder", id="no target"
        ),
        pytest.param(
            ["windows.csv", "out.csv", *LISTED, "--context_pad=-1"],
            2,
            "--context-pad is -1",
            id="pad",
        ),
    ],
)
def test_fails(
    capsys: pytest.CaptureFixture[str], argv: list[str], code: int, message: str
) -> None:
    Path("list.txt").write_text("one.png\n")

    assert main(["detect", *argv]) == code

    assert message in capsys.readouterr().err
