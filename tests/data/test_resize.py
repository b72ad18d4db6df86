import numpy as np
import pytest

from caffepy.data.resize import resize, resize_words
from tests.data.databases import ramp


def test_resize_is_the_weighted_mean_of_four_neighbours() -> None:
    image = ramp(5, 7, 3)
    expected = np.empty((8, 4, 3))
    for y, x in np.ndindex(8, 4):
        row = min(max((y + 0.5) * 5 / 8 - 0.5, 0), 4)
        column = min(max((x + 0.5) * 7 / 4 - 0.5, 0), 6)
        top, left = int(row), int(column)
        bottom, right = min(top + 1, 4), min(left + 1, 6)
        down, across = row - top, column - left
        upper = image[top, left] * (1 - across) + image[top, right] * across
        lower = image[bottom, left] * (1 - across) + image[bottom, right] * across
        expected[y, x] = upper * (1 - down) + lower * down

    assert np.abs(resize(image, 8, 4) - expected).max() <= 1


@pytest.mark.parametrize("size", [(3, 4), (1, 1), (40, 30)])
def test_resize_keeps_one_colour(size: tuple[int, int]) -> None:
    image = np.full((9, 11, 3), (255, 7, 128), np.uint8)

    np.testing.assert_array_equal(resize(image, *size), np.broadcast_to(image[0, 0], (*size, 3)))


def test_resize_to_the_own_size_changes_nothing() -> None:
    np.testing.assert_array_equal(resize(ramp(5, 7), 5, 7), ramp(5, 7))


@pytest.mark.parametrize("size", [(4, 11), (4, 5), (30, 11)])
def test_pixels_that_are_moved_as_one_become_the_same(size: tuple[int, int]) -> None:
    bgr = ramp(9, 7)
    words = np.full((9, 7, 4), 255, np.uint8)
    words[..., :3] = bgr[..., ::-1]

    resized = resize_words(words.view(np.uint32)[..., 0], *size)

    np.testing.assert_array_equal(resized, resize(bgr, *size))
