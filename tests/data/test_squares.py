"""Squares out of image files."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caffepy.data.images import decode_image
from caffepy.data.resize import resize
from caffepy.data.squares import Task, cut_square, cut_squares, opencv_square, pil_square


def write(path: Path, height: int, width: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize(
    ("size", "resized", "corner"),
    [
        pytest.param((9, 20), (4, 8), (0, 2), id="wide"),
        pytest.param((20, 9), (8, 4), (2, 0), id="tall"),
        pytest.param((6, 6), (4, 4), (0, 0), id="square"),
        pytest.param((2, 3), (4, 6), (0, 1), id="small"),
    ],
)
def test_the_middle_at_the_size_of_the_shorter_side(
    tmp_path: Path, size: tuple[int, int], resized: tuple[int, int], corner: tuple[int, int]
) -> None:
    path = tmp_path / "image.png"
    write(path, *size)

    square = decode_image(opencv_square(path, 4))

    y, x = corner
    expected = resize(decode_image(path), *resized)[y : y + 4, x : x + 4]
    np.testing.assert_array_equal(square, expected)


def test_pillow_smooths_and_makes_jpegs(tmp_path: Path) -> None:
    """Noise is averaged, where OpenCV picks pixels."""
    path = tmp_path / "image.png"
    write(path, 64, 128)

    with Image.open(BytesIO(pil_square(path, 8))) as square:
        assert (square.format, square.size) == ("JPEG", (8, 8))
        smooth = np.asarray(square).std()
    assert smooth < decode_image(opencv_square(path, 8)).std() / 2


def test_folders_are_made_on_several_processes(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    tasks = []
    for index in range(5):
        source = tmp_path / "in" / f"{index}.png"
        write(source, 5 + index, 7)
        tasks.append(Task(source, tmp_path / "out" / "deep" / f"{index}.png"))
    tasks[2].source.write_bytes(b"no image")
    told = []

    failures = cut_squares(tasks, 3, "opencv", 2, lambda *counts: told.append(counts))

    assert [failure.partition(": ")[0] for failure in failures] == [repr(str(tasks[2].source))]
    assert told == [(count, 5) for count in range(1, 6)]
    made = sorted(path.name for path in (tmp_path / "out" / "deep").iterdir())
    assert made == ["0.png", "1.png", "3.png", "4.png"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda task: task.source.unlink(), "No such file", id="no source"),
        pytest.param(lambda task: task.target.mkdir(), "cannot be written", id="a folder"),
    ],
)
def test_why_not(tmp_path: Path, change: Callable[[Task], None], message: str) -> None:
    task = Task(tmp_path / "image.png", tmp_path / "square.png")
    write(task.source, 3, 4)
    change(task)

    assert message in str(cut_square(task, 2, "opencv"))


def test_a_type_that_is_not_written(tmp_path: Path) -> None:
    task = Task(tmp_path / "image.ppm", tmp_path / "square.ppm")
    write(task.source, 3, 4)

    assert "cannot be encoded as 'ppm'" in str(cut_square(task, 2, "opencv"))
