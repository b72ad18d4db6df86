from pathlib import Path

import numpy as np
import pytest

from caffepy.data.datum import decode, parse_datum
from caffepy.data.image_record import Form, check_form, make
from caffepy.data.images import decode_image, encode_image
from caffepy.data.resize import resize
from caffepy.errors import DataError
from tests.data.databases import ramp


def write(folder: Path, height: int, width: int, name: str = "a.png") -> str:
    path = folder / name
    path.write_bytes(encode_image(ramp(height, width), name[-3:]))
    return str(path)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param((7, 10), (4, 5), id="wide, rounded down"),
        pytest.param((10, 7), (5, 4), id="high"),
        pytest.param((4, 9), (4, 9), id="as it is"),
        pytest.param((2, 3), (4, 6), id="enlarged"),
        pytest.param((1, 30), (4, 120), id="a line"),
    ],
)
def test_the_shorter_side_gets_its_length(
    tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    made = make(write(tmp_path, *size), 3, Form(short=4))

    assert made.shape == (*expected, 3)
    datum = parse_datum(made.value)
    assert (datum.channels, datum.height, datum.width, datum.label) == (3, *expected, 3)
    np.testing.assert_array_equal(decode(datum), resize(ramp(*size), *expected).transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("form", "top", "left", "size"),
    [
        pytest.param(Form(crop=4), 1, 2, (6, 9), id="rest above and left is rounded down"),
        pytest.param(Form(crop=4, short=5), 0, 1, (5, 7), id="after the shorter side"),
        pytest.param(Form(crop=4, size=(4, 10)), 0, 3, (4, 10), id="after resizing"),
    ],
)
def test_the_centre_is_cut_out(
    tmp_path: Path, form: Form, top: int, left: int, size: tuple[int, int]
) -> None:
    made = make(write(tmp_path, 6, 9), 0, form)

    whole = resize(ramp(6, 9), *size)
    np.testing.assert_array_equal(
        decode(parse_datum(made.value)),
        whole[top : top + 4, left : left + 4].transpose(2, 0, 1),
    )


def test_a_smaller_image_cannot_be_cropped(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.png': 6 rows x 3 columns cannot be cropped to 4 x 4"):
        make(write(tmp_path, 6, 3), 0, Form(crop=4))


@pytest.mark.parametrize("form", [Form(short=2, encode=""), Form(crop=3, encode="png")], ids=str)
def test_files_of_other_pixels_are_encoded_anew(tmp_path: Path, form: Form) -> None:
    path = write(tmp_path, 6, 3)

    datum = parse_datum(make(path, 0, form).value)

    assert datum.encoded
    assert datum.data != Path(path).read_bytes()
    assert decode_image(datum.data).shape == ((4, 2, 3) if form.crop is None else (3, 3, 3))


@pytest.mark.parametrize(
    ("form", "warned"),
    [
        pytest.param(Form(gray=True, encode=""), True, id="kept"),
        pytest.param(Form(gray=True, encode="", short=9), False, id="encoded anew"),
        pytest.param(Form(gray=True), False, id="raw"),
    ],
)
def test_warns_of_files_that_stay_in_colour(
    form: Form, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    check_form(form)

    assert ("stay in colour" in caplog.text) is warned
