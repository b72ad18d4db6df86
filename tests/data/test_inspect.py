from pathlib import Path

import pytest

from caffepy.data.database import open_database
from caffepy.data.datum import encoded_datum, to_datum
from caffepy.data.images import encode_image
from caffepy.data.inspect import inspect, spread
from caffepy.proto import DataParameter, Datum
from tests.data.databases import ramp, write_datums, write_records

DATUMS = [
    to_datum(ramp(4, 5), 7),
    to_datum(ramp(4, 5), 7),
    to_datum(ramp(5, 4, 1), -1),
    encoded_datum(encode_image(ramp(6, 3), "png"), 2),
    encoded_datum(encode_image(ramp(6, 3, 1), "jpg"), 2),
    Datum(channels=2, height=1, width=1, float_data=[1, 2]),
]


def silent(_done: int, _total: int) -> None:
    pass


@pytest.mark.parametrize("backend", [DataParameter.LMDB, DataParameter.LEVELDB])
def test_counts_everything(tmp_path: Path, backend: DataParameter.DB) -> None:
    told: list[tuple[int, int]] = []

    found = inspect(
        open_database(write_datums(tmp_path / "db", DATUMS, backend)), lambda *at: told.append(at)
    )

    assert (found.count, found.first, found.last) == (6, b"00", b"05")
    assert found.size == sum(datum.ByteSize() for datum in DATUMS)
    assert found.kinds == {"raw bytes": 3, "PNG file": 1, "JPEG file": 1, "float numbers": 1}
    assert found.sizes == {(3, 4, 5): 2, (1, 5, 4): 1, (3, 6, 3): 1, (1, 6, 3): 1, (2, 1, 1): 1}
    assert found.labels == {7: 2, -1: 1, 2: 2}
    assert (found.unlabelled, found.damaged, found.reasons) == (1, 0, [])
    assert told == [(done, 6) for done in range(1, 7)]


def test_damaged_records_are_counted_and_named(tmp_path: Path) -> None:
    datums = [
        *DATUMS[:1],
        encoded_datum(b"broken", 3),
        Datum(channels=3, height=2, width=2, data=b"short", label=3),
        Datum(label=3),
    ]

    found = inspect(open_database(write_datums(tmp_path / "db", datums)), silent)

    assert (found.count, found.damaged, found.labels) == (4, 3, {7: 1})
    assert [reason.partition(": record ")[2] for reason in found.reasons] == [
        "'01': not an image, or damaged; formats read: BMP, DIB, JPEG, JPEG2000, PNG, PPM, SUN, "
        "TIFF, WEBP",
        "'02': 5 numbers for an image of 3 channels, 2 rows and 2 columns",
        "'03': 0 numbers for an image of 0 channels, 0 rows and 0 columns",
    ]


def test_what_is_no_datum_is_damaged(tmp_path: Path) -> None:
    path = write_records(tmp_path / "db", 30, backend=DataParameter.LMDB)

    found = inspect(open_database(path), silent)

    assert (found.damaged, len(found.reasons)) == (30, 20)


def test_shows_each_record_to_who_asks(tmp_path: Path) -> None:
    seen: list[tuple[int, bytes]] = []

    inspect(
        open_database(write_datums(tmp_path / "db", DATUMS)),
        silent,
        lambda number, record: seen.append((number, record.key)),
    )

    assert seen == [(number, b"%02d" % number) for number in range(6)]


@pytest.mark.parametrize(
    ("count", "wanted", "numbers"),
    [(10, 3, {0, 3, 6}), (4, 4, {0, 1, 2, 3}), (3, 9, {0, 1, 2}), (5, 0, set()), (7, 1, {0})],
)
def test_spreads_evenly(count: int, wanted: int, numbers: set[int]) -> None:
    assert spread(count, wanted) == numbers
