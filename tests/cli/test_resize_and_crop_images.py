"""`caffepy resize_and_crop_images`, and the script of that name."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caffepy.cli.main import main

ROOT = Path(__file__).parents[2]
FOLDERS = ["--input_folder", "in", "--output_folder", "out"]
SMALL = ["--output_side_length=4", "--num_clients=1"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in/cats").mkdir(parents=True)
    for name, size in (("cats/a.png", (6, 9)), ("b.jpg", (7, 5))):
        Image.fromarray(np.zeros((*size, 3), np.uint8)).save(Path("in", name))


def made() -> dict[str, tuple[int, int]]:
    found = {}
    for path in sorted(Path("out").rglob("*.*")):
        with Image.open(path) as image:
            found[str(path.relative_to("out"))] = image.size
    return found


def test_all_images_of_a_folder() -> None:
    assert main(["resize_and_crop_images", *FOLDERS, *SMALL]) == 0

    assert made() == {"b.jpg": (4, 4), "cats/a.png": (4, 4)}


@pytest.mark.parametrize("line", ["cats/a.png 7", "in/cats/a.png", "/cats/a.png"])
def test_the_images_of_a_list(line: str) -> None:
    Path("list.txt").write_text(f"{line}\n\n")
    flags = ["--input", "list.txt", "--image_lib", "PIL"]

    assert main(["resize_and_crop_images", *FOLDERS, *SMALL, *flags]) == 0

    assert made() == {"cats/a.png": (4, 4)}


def test_images_that_cannot_be_read_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("in/notes.txt").write_text("no image")

    assert main(["resize_and_crop_images", *FOLDERS, *SMALL]) == 0

    assert "1 of 3 images are left out:\n'in/notes.txt': not an image" in capsys.readouterr().err


def test_what_pillow_warns_of_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x05"  # a count of five entries, of which none follows
    Image.new("RGB", (6, 9)).save("in/c.jpg", exif=exif)

    assert main(["resize_and_crop_images", *FOLDERS, *SMALL]) == 0

    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        pytest.param([], 2, "give --input_folder and --output_folder", id="no folders"),
        pytest.param([*FOLDERS, "--num_clients=0"], 2, "must be at least 1", id="no process"),
        pytest.param(
            ["--input_folder", "none", "--output_folder", "out"],
            1,
            "none: there is no such folder",
            id="no such folder",
        ),
        pytest.param(
            ["--input_folder", "empty", "--output_folder", "out"],
            1,
            "empty: there are no images",
            id="no images",
        ),
        pytest.param([*FOLDERS, "--input", "none"], 1, "none: cannot read the list", id="no list"),
        pytest.param(
            [*FOLDERS, "--input", "bad.txt", *SMALL],
            1,
            "none of the 1 images could be cut",
            id="nothing made",
        ),
    ],
)
def test_fails(
    capsys: pytest.CaptureFixture[str], flags: list[str], code: int, message: str
) -> None:
    Path("empty").mkdir()
    Path("bad.txt").write_text("nowhere.png\n")

    assert main(["resize_and_crop_images", *flags]) == code

    assert message in capsys.readouterr().err


def test_the_script() -> None:
    """Its processes import it again, and must not run it."""
    script = ROOT / "tools" / "resize_and_crop_images"
    subprocess.run([sys.executable, script, *FOLDERS, *SMALL], check=True)

    assert len(made()) == 2
