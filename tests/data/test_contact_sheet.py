from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caffepy.data.contact_sheet import CELL, GAP, check_sheet, contact_sheet, write_sheet
from caffepy.data.database import open_database
from caffepy.data.datum import encoded_datum, to_datum
from caffepy.data.folder import Record
from caffepy.data.images import Pixels, encode_image
from caffepy.errors import DataError
from caffepy.proto import Datum
from tests.data.databases import ramp, write_datums

WHITE = 255


def records(folder: Path, *datums: Datum) -> list[Record]:
    database = open_database(write_datums(folder / "db", list(datums)))
    return list(islice(database.records(), len(datums)))


def first_cell(sheet: Image.Image) -> Pixels:
    return np.asarray(sheet)[GAP : GAP + CELL, GAP : GAP + CELL]


def blue(height: int, width: int) -> Pixels:
    return np.broadcast_to(np.array([255, 0, 9], np.uint8), (height, width, 3))


@pytest.mark.parametrize(
    ("datum", "colour", "size"),
    [
        pytest.param(to_datum(blue(2, 4), 0), (9, 0, 255), (CELL // 2, CELL), id="enlarged"),
        pytest.param(to_datum(blue(400, 200), 0), (9, 0, 255), (CELL, CELL // 2), id="reduced"),
        pytest.param(to_datum(blue(50, 40), 0), (9, 0, 255), (100, 80), id="a whole number"),
        pytest.param(
            encoded_datum(encode_image(blue(2, 2), "png"), 0), (9, 0, 255), (CELL, CELL), id="file"
        ),
        pytest.param(
            to_datum(np.full((3, 3, 1), 77, np.uint8), 0), (77, 77, 77), (CELL, CELL), id="grey"
        ),
    ],
)
def test_images_lie_in_the_middle_of_their_cells(
    tmp_path: Path, datum: Datum, colour: tuple[int, ...], size: tuple[int, int]
) -> None:
    cell = first_cell(contact_sheet(records(tmp_path, datum)))

    inside = (cell == colour).all(axis=2)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    assert (len(rows), len(columns)) == size
    assert inside.sum() == size[0] * size[1]
    assert rows[0] == (CELL - size[0]) // 2
    assert columns[0] == (CELL - size[1]) // 2


def test_numbers_are_spread_from_black_to_white(tmp_path: Path) -> None:
    datum = Datum(channels=1, height=1, width=3, float_data=[-2, 0, 2])

    cell = first_cell(contact_sheet(records(tmp_path, datum)))

    assert cell[CELL // 2, [0, CELL // 2, -1], 0].tolist() == [0, 127, 255]


def test_two_channels_lie_side_by_side(tmp_path: Path) -> None:
    datum = Datum(channels=2, height=1, width=1, data=bytes([10, 200]))

    cell = first_cell(contact_sheet(records(tmp_path, datum)))

    assert cell[CELL // 2, [0, -1], 0].tolist() == [10, 200]


def test_a_sheet_is_about_as_wide_as_high_with_words_below(tmp_path: Path) -> None:
    sheet = contact_sheet(records(tmp_path, *[to_datum(ramp(3, 3), label) for label in range(5)]))

    columns, rows = sheet.width // CELL, sheet.height // CELL
    assert (columns, rows) == (3, 2)
    below = np.asarray(sheet)[GAP + CELL + 1 : GAP + CELL + 30, GAP : GAP + CELL]
    assert below.min() < 50
    assert np.asarray(sheet)[-(CELL + 40) :, -(CELL + GAP) :].min() == WHITE  # no sixth image


def test_long_keys_stay_in_their_cell() -> None:
    record = Record("db", b"0" * 300, to_datum(ramp(3, 3), 0).SerializeToString())

    sheet = contact_sheet([record])

    assert np.asarray(sheet)[:, -GAP + 1 :].min() == WHITE


@pytest.mark.parametrize(
    "datum",
    [
        pytest.param(Datum(channels=5, height=1, width=1, float_data=[0] * 5), id="5 channels"),
        pytest.param(encoded_datum(b"broken", 0), id="damaged"),
        pytest.param(Datum(label=1), id="nothing"),
    ],
)
def test_a_red_frame_where_there_is_no_image(tmp_path: Path, datum: Datum) -> None:
    cell = first_cell(contact_sheet(records(tmp_path, datum)))

    assert cell[0, 0].tolist() == cell[-1, -1].tolist() == [200, 0, 0]
    assert cell[1:-1, 1:-1].min() == WHITE


@pytest.mark.parametrize("name", ["sheet.png", "sheet.jpg"])
def test_is_written(tmp_path: Path, name: str) -> None:
    write_sheet(Image.new("RGB", (3, 2)), tmp_path / name)

    with Image.open(tmp_path / name) as image:
        assert image.size == (3, 2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("none/sheet.png", "there is no folder", id="no folder"),
        pytest.param("sheet.xyz", "cannot be written: its name ends", id="unknown type"),
        pytest.param("sheet", "cannot be written: its name ends", id="no type"),
        pytest.param("sheet.psd", "cannot be written: its name ends", id="read only"),
    ],
)
def test_refuses_names_that_no_picture_can_have(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(DataError, match=f"{name}: {message}"):
        check_sheet(tmp_path / name)


def test_takes_names_in_capitals(tmp_path: Path) -> None:
    check_sheet(tmp_path / "SHEET.PNG")


def test_a_sheet_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"sheet\.png: cannot be written: No such file"):
        write_sheet(Image.new("RGB", (3, 2)), tmp_path / "none" / "sheet.png")


def test_numbers_that_are_not_finite_are_shown_as_the_extremes(tmp_path: Path) -> None:
    shades = [1.0, 3.0, float("nan"), float("inf"), -float("inf")]
    datum = Datum(channels=1, height=1, width=5, float_data=shades)

    cell = first_cell(contact_sheet(records(tmp_path, datum)))

    side = CELL // 5
    row = cell[CELL // 2, side // 2 : 5 * side : side, 0]
    assert row.tolist() == [0, 255, 0, 255, 0]
