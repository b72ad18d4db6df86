"""Images as pycaffe's scripts have them."""

import math
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import zoom

from caffepy.errors import DataError
from caffepy.pycaffe.images import load_image, oversample, resize_image

RED, GREY = (200, 100, 50), 120


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (5, 4), RED).save(tmp_path / "red.png")
    Image.new("RGBA", (5, 4), (*RED, 7)).save(tmp_path / "alpha.png")
    Image.new("L", (5, 4), GREY).save(tmp_path / "grey.png")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "color", "pixel"),
    [
        pytest.param("red.png", True, np.divide(RED, 255), id="red first"),
        pytest.param("alpha.png", True, np.divide(RED, 255), id="without alpha"),
        pytest.param("grey.png", True, [GREY / 255] * 3, id="grey as colour"),
        pytest.param("grey.png", False, [GREY / 255], id="grey"),
        pytest.param(
            "red.png",
            False,
            [(0.2125 * 200 + 0.7154 * 100 + 0.0721 * 50) / 255],
            id="colour as grey",
        ),
        pytest.param(
            "alpha.png",
            False,
            [(0.2125 * 200 + 0.7154 * 100 + 0.0721 * 50) / 255],
            id="alpha as grey",
        ),
    ],
)
def test_images_are_rows_of_floats(
    folder: Path, name: str, color: bool, pixel: list[float]
) -> None:
    image = load_image(str(folder / name), color)

    assert image.shape == (4, 5, len(pixel))
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, np.broadcast_to(pixel, image.shape), rtol=1e-6)
    image *= 2  # it can be written to


def test_a_file_may_be_open_or_in_memory(folder: Path) -> None:
    expected = load_image(folder / "red.png")

    with (folder / "red.png").open("rb") as file:
        np.testing.assert_array_equal(load_image(file), expected)
    upload = BytesIO((folder / "red.png").read_bytes())
    np.testing.assert_array_equal(load_image(upload), expected)


def test_a_file_that_is_no_image(folder: Path) -> None:
    with pytest.raises(DataError, match=r"none\.png': No such file"):
        load_image(folder / "none.png")


def bilinear(framed: NDArray[np.float64], row: float, column: float) -> float:
    """One channel between its pixels, which a frame of 1 lies around."""
    y, x = math.floor(row), math.floor(column)
    down, right = row - y, column - x
    shares = np.outer([1 - down, down], [1 - right, right])
    return float((shares * framed[y + 1 : y + 3, x + 1 : x + 3]).sum())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(3, 11), (9, 4)], ids=["wider", "taller"])
def test_grey_and_colour_keep_their_edges(channels: int, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).normal(5, 3, (6, 7, channels))

    resized = resize_image(image, size)

    assert resized.shape == (*size, channels)
    assert resized.dtype == np.float32
    framed = np.pad(image, ((1, 1), (1, 1), (0, 0)), constant_values=image.min())
    for row, column, channel in np.ndindex(*resized.shape):
        place = (row + 0.5) * 6 / size[0] - 0.5, (column + 0.5) * 7 / size[1] - 0.5
        expected = bilinear(framed[..., channel], *place)
        assert resized[row, column, channel] == pytest.approx(expected, abs=1e-5)


def test_other_numbers_of_channels_keep_their_corners() -> None:
    image = np.random.default_rng(0).normal(size=(6, 7, 5))

    resized = resize_image(image, (9, 4), interp_order=3)

    np.testing.assert_allclose(resized, zoom(image, (9 / 6, 4 / 7, 1), order=3), atol=1e-5)


def test_nearest_and_cubic() -> None:
    image = np.array([[[0.0], [0.0], [1.0], [1.0]]])

    np.testing.assert_array_equal(resize_image(image, (1, 2), 0)[0, :, 0], [0, 1])
    cubic = resize_image(image, (1, 16), 3)
    assert (cubic.min(), cubic.max()) == (0, 1)  # what overshoots is cut off


def test_an_image_of_one_value_stays_that() -> None:
    resized = resize_image(np.full((4, 5, 3), 7, np.uint8), (2, 3))

    assert resized.dtype == np.float32
    np.testing.assert_array_equal(resized, np.full((2, 3, 3), 7))


@pytest.mark.parametrize(
    ("shape", "size", "order", "message"),
    [
        pytest.param((4, 5), (2, 2), 1, r"got shape \(4, 5\)", id="no channels"),
        pytest.param((0, 5, 3), (2, 2), 1, r"shape \(0, 5, 3\) cannot be resized", id="empty"),
        pytest.param((4, 5, 3), (0, 2), 1, "to 0x2", id="no size"),
        pytest.param((4, 5, 3), (2, 2), 6, "interp_order is 6; it is 0 to 5", id="order"),
    ],
)
def test_what_cannot_be_resized(
    shape: tuple[int, ...], size: tuple[int, int], order: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        resize_image(np.zeros(shape), size, order)


def test_ten_crops_of_each_image() -> None:
    images = np.random.default_rng(0).random((2, 6, 9, 3)).astype(np.float32)

    crops = oversample(list(images), (3, 4))

    assert crops.shape == (20, 3, 4, 3)
    assert crops.dtype == np.float32
    for index, (y, x) in enumerate([(0, 0), (0, 5), (3, 0), (3, 5), (1, 2)]):
        crop = images[1, y : y + 3, x : x + 4]
        np.testing.assert_array_equal(crops[10 + index], crop)
        np.testing.assert_array_equal(crops[15 + index], crop[:, ::-1])


def test_crops_larger_than_the_images() -> None:
    with pytest.raises(ValueError, match="a crop of 3x10 does not fit into images of 6x9"):
        oversample([np.zeros((6, 9, 3))], (3, 10))
