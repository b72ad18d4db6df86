import numpy as np
import pytest

from caffepy.data.window_crop import Place, Span, WindowCrop, rounded
from caffepy.errors import DataError


def test_warp_takes_just_the_window() -> None:
    crop = WindowCrop(crop=10, pad=0, square=False)

    place = crop.place((3, 2, 8, 4), height=20, width=30, mirror=False)

    assert place == Place(Span(2, 4, 0, 10, 0), Span(3, 8, 0, 10, 0))


def test_padding_grows_the_window_around_its_centre() -> None:
    # 8 x 4 pixels around (10, 8); 10 / (10 - 2) of half of them is 5 and 2.5, which rounds outwards
    crop = WindowCrop(crop=10, pad=1, square=False)

    place = crop.place((6, 6, 13, 9), height=20, width=30, mirror=False)

    assert place.columns == Span(5, 15, 0, 10, 0)
    assert place.rows == Span(6, 11, 0, 10, 0)


def test_square_takes_the_longer_side_for_both() -> None:
    crop = WindowCrop(crop=10, pad=0, square=True)

    place = crop.place((6, 6, 13, 9), height=20, width=30, mirror=False)

    assert place.columns == Span(6, 14, 0, 10, 0)
    assert place.rows == Span(4, 12, 0, 10, 0)


@pytest.mark.parametrize(("mirror", "start"), [(False, 2), (True, 6)], ids=["as it is", "mirrored"])
def test_what_is_outside_the_image_stays_empty(mirror: bool, start: int) -> None:
    # Columns -2 to 14 of 9, 17 in 17 pixels of the crop: 2 before, 9 inside, 6 after.
    # Rows 5 to 13 of 12, 9 in 17 pixels: 7 of them, 17 / 9 each, that is 13, inside, 4 after.
    crop = WindowCrop(crop=17, pad=4, square=False)

    place = crop.place((2, 7, 9, 10), height=12, width=9, mirror=mirror)

    assert place.columns == Span(0, 8, start, 9, 6)
    assert place.rows == Span(5, 11, 0, 13, 4)


def test_what_rounding_makes_too_long_is_shortened() -> None:
    # Columns -1 to 2, 4 in 10 pixels: round(2.5) = 3 before and round(7.5) = 8 inside make 11.
    crop = WindowCrop(crop=10, pad=0, square=True)

    place = crop.place((-1, 0, 1, 2), height=20, width=9, mirror=False)

    assert place.columns == Span(0, 2, 3, 7, 0)
    assert place.rows == Span(0, 3, 0, 10, 0)


@pytest.mark.parametrize(
    ("box", "pad"),
    [
        pytest.param((0, 0, 9, 5), 0, id="too wide"),
        pytest.param((-1, 0, 3, 5), 0, id="before the first column"),
        pytest.param((0, 0, 3, 20), 0, id="below the last row"),
        pytest.param((4, 4, 3, 5), 0, id="turned round"),
        pytest.param((50, 0, 60, 5), 2, id="far away"),
        pytest.param((-60, 0, -50, 5), 2, id="far away on the other side"),
    ],
)
def test_a_window_outside_the_image_is_refused(box: tuple[int, int, int, int], pad: int) -> None:
    with pytest.raises(DataError, match="side the image"):
        WindowCrop(10, pad, square=False).place(box, height=20, width=9, mirror=False)


def test_a_window_of_which_nothing_is_left_is_refused() -> None:
    # 100 columns shrink to 10 pixels; one of them is inside: a tenth of a pixel
    with pytest.raises(DataError, match="less than a pixel of the crop"):
        WindowCrop(10, 0, square=True).place((-99, 0, -1, 9), height=90, width=9, mirror=False)


@pytest.mark.parametrize(
    ("number", "whole"), [(2.5, 3), (-2.5, -3), (2.4, 2), (-2.4, -2), (0.49999997, 0)]
)
def test_rounds_as_c_does(number: float, whole: int) -> None:
    assert rounded(np.float32(number)) == whole
