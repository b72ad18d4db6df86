import re
from pathlib import Path

import numpy as np
import pytest

from caffepy.data.database import open_database
from caffepy.data.pca import HEADER, Pca, compute_pca, read_pca, write_pca
from caffepy.errors import DataError, SnapshotError
from caffepy.proto import Datum
from tests.data.databases import ramp, write_datums, write_images

R = 0.5**0.5
PCA = Pca(np.array([900.0, 4.5, 0.0]), np.array([[0, R, R], [1, 0, 0], [0, R, -R]]))
LINES = f"{HEADER}\n9 0 0 1\n4 0 1 0\n1 1 0 0\n"


def silent(_done: int, _total: int) -> None:
    pass


def cloud(
    height: int, width: int, seed: int
) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """An image whose blue, green and red go together more or less."""
    rng = np.random.default_rng(seed)
    light = rng.normal(120, 30, (height, width, 1))
    return (light + rng.normal(0, [5, 9, 20], (height, width, 3))).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("extension", [None, "png"], ids=["raw", "encoded"])
def test_components_are_those_of_all_pixels(tmp_path: Path, extension: str | None) -> None:
    images = [cloud(5, 7, 0), cloud(4, 9, 1), cloud(11, 2, 2)]
    path = write_images(tmp_path / "db", images, extension)

    pca = compute_pca(open_database(path), silent)

    pixels = np.concatenate([image.reshape(-1, 3) for image in images]).astype(float)
    centred = pixels - pixels.mean(axis=0)
    covariance = centred.T @ centred / len(pixels)
    assert (np.diff(pca.values) < 0).all()
    for value, vector in zip(pca.values, pca.vectors, strict=True):
        np.testing.assert_allclose(covariance @ vector, value * vector, rtol=1e-9, atol=1e-9)
        assert vector @ vector == pytest.approx(1)
        assert vector[np.abs(vector).argmax()] > 0


def test_vectors_are_blue_green_red(tmp_path: Path) -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    image[..., 0] = [[0, 100], [0, 100]]  # blue alone varies most
    image[..., 2] = [[0, 0], [20, 20]]

    pca = compute_pca(open_database(write_images(tmp_path / "db", [image])), silent)

    np.testing.assert_allclose(pca.values, [2500, 100, 0])
    np.testing.assert_allclose(pca.vectors, [[1, 0, 0], [0, 0, 1], [0, 1, 0]])


def test_takes_float_data_and_grey_files(tmp_path: Path) -> None:
    numbers = Datum(channels=3, height=1, width=2, float_data=[0.5, 1.5, 0, 0, 0, 0])
    assert (
        compute_pca(open_database(write_datums(tmp_path / "db", [numbers])), silent).values[0]
        == 0.25
    )

    grey = write_images(tmp_path / "grey", [ramp(4, 6, 1)], "png")
    np.testing.assert_allclose(compute_pca(open_database(grey), silent).vectors[0], [3**-0.5] * 3)


def test_tells_progress(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    compute_pca(
        open_database(write_images(tmp_path / "db", [ramp(2, 3)] * 3)), lambda *at: told.append(at)
    )

    assert told == [(1, 3), (2, 3), (3, 3)]


def test_refuses_raw_grey(tmp_path: Path) -> None:
    path = write_images(tmp_path / "db", [ramp(2, 3), ramp(2, 3, 1)])

    with pytest.raises(DataError, match="db: record '01' has 1 channels; colours have 3"):
        compute_pca(open_database(path), silent)


def test_refuses_numbers_that_are_not_finite(tmp_path: Path) -> None:
    numbers = Datum(channels=3, height=1, width=1, float_data=[1, float("nan"), 2])
    path = write_datums(tmp_path / "db", [numbers])

    with pytest.raises(DataError, match=r"record '.*' holds numbers that are not finite"):
        compute_pca(open_database(path), silent)


def test_reads_what_it_writes(tmp_path: Path) -> None:
    write_pca(tmp_path / "pca.txt", PCA)

    read = read_pca(tmp_path / "pca.txt")
    np.testing.assert_array_equal(read.values, PCA.values)
    np.testing.assert_array_equal(read.vectors, PCA.vectors)
    header, *rows = (tmp_path / "pca.txt").read_text().splitlines()
    assert header == "# caffepy image pca, BGR, 0-255"
    assert rows[1] == "4.5 1.0 0.0 0.0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "not a file of compute_image_pca: line 1 is", id="empty"),
        pytest.param(LINES.replace("BGR", "RGB"), "not a file of compute_image_pca", id="order"),
        pytest.param(LINES + "1 0 0 0\n", "not a file of compute_image_pca", id="a line more"),
        pytest.param(LINES.replace("4 0 1 0", "4 0 x 0"), ":3: '4 0 x 0' is not", id="word"),
        pytest.param(LINES.replace("4 0 1 0", "4 0 1"), ":3: '4 0 1' is not", id="three numbers"),
        pytest.param(LINES.replace("4 0 1 0", "nan 0 1 0"), ":3: .*four finite", id="nan"),
        pytest.param(LINES.replace("4 0 1 0", "10 0 1 0"), "the largest first", id="not sorted"),
        pytest.param(LINES.replace("1 1 0 0", "-1 1 0 0"), "they are variances", id="negative"),
        pytest.param(LINES.replace("1 1 0 0", "1 2 0 0"), "not length 1", id="length"),
        pytest.param(LINES.replace("1 1 0 0", "1 0 0 1"), "not at right angles", id="same vector"),
    ],
)
def test_refuses_other_files(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pca.txt").write_text(text)

    with pytest.raises(DataError, match=rf"pca\.txt.*{message}"):
        read_pca(tmp_path / "pca.txt")


def test_refuses_a_missing_file_and_a_missing_folder(tmp_path: Path) -> None:
    path = tmp_path / "none" / "pca.txt"

    with pytest.raises(DataError, match="No such file"):
        read_pca(path)
    with pytest.raises(SnapshotError, match=f"cannot write {re.escape(str(path))}"):
        write_pca(path, PCA)
