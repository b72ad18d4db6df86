"""Resizing by splines, held against scipy's own."""

import numpy as np
import pytest
from scipy.ndimage import zoom

from caffepy.data.resample import MAX_ORDER, resample

SIZES = [
    pytest.param((13, 5), id="taller"),
    pytest.param((3, 29), id="wider"),
    pytest.param((1, 1), id="one pixel"),
    pytest.param((7, 11), id="as it is"),
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("order", range(MAX_ORDER + 1))
@pytest.mark.parametrize("corners", [True, False], ids=["corners", "edges"])
def test_splines_are_scipys(size: tuple[int, int], order: int, corners: bool) -> None:
    image = np.random.default_rng(0).random((7, 11, 2))
    mode = {} if corners else {"grid_mode": True, "mode": "grid-constant"}
    expected = zoom(image, (size[0] / 7, size[1] / 11, 1), order=order, **mode)

    resized = resample(image, *size, order, corners=corners)

    np.testing.assert_allclose(resized, expected, atol=1e-7)


def test_beyond_the_edges_there_are_zeros() -> None:
    image = np.ones((1, 2, 1))

    row = resample(image, 1, 4, 1, corners=False)[0, :, 0]

    np.testing.assert_array_equal(row, [0.75, 1, 1, 0.75])


def test_corners_stay_in_place() -> None:
    image = np.array([[[0.0], [3.0]]])

    row = resample(image, 1, 4, 1, corners=True)[0, :, 0]

    np.testing.assert_allclose(row, [0, 1, 2, 3])


@pytest.mark.parametrize("order", range(MAX_ORDER + 1))
def test_one_row_is_repeated(order: int) -> None:
    image = np.random.default_rng(0).random((1, 4, 3))

    resized = resample(image, 5, 4, order, corners=True)

    np.testing.assert_allclose(resized, np.repeat(image, 5, axis=0), atol=1e-7)
