from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from caffepy.data.batches import Block
from caffepy.data.database import open_database
from caffepy.data.datum import encoded_datum, to_datum
from caffepy.data.images import encode_image
from caffepy.data.lmdb import LMDB
from caffepy.data.records import Records
from caffepy.errors import DataError
from caffepy.proto import DataParameter, Datum
from tests.data.databases import ramp, write_datums, write_images


def test_records_come_in_order_epoch_after_epoch(tmp_path: Path) -> None:
    records = Records(LMDB(write_images(tmp_path / "db", [ramp(2, 3)] * 5)), None)

    assert len(records) == 5
    assert [record.key for record in islice(records.items(3, 2), 4)] == [b"03", b"00", b"02", b"04"]


@pytest.mark.parametrize("backend", [DataParameter.LMDB, DataParameter.LEVELDB])
def test_shuffled_epochs_have_all_records_in_an_order_of_their_own(
    tmp_path: Path, backend: DataParameter.DB
) -> None:
    path = write_images(tmp_path / "db", [ramp(2, 3)] * 9, backend=backend)
    records = Records(open_database(path), None, seed=3)

    keys = [record.key for record in islice(records.items(0, 1), 27)]

    epochs = [keys[start : start + 9] for start in (0, 9, 18)]
    assert len({tuple(epoch) for epoch in epochs}) == 3
    for epoch in epochs:
        assert sorted(epoch) == [b"%02d" % number for number in range(9)]
    assert [record.key for record in islice(records.items(7, 2), 5)] == keys[7:17:2]
    assert [records.epoch(number) for number in (8, 9, 27)] == [0, 1, 3]
    record = next(records.items(4, 1))
    assert record.value == open_database(path).get(keys[4])
    assert str(record) == f"{path}: record '{keys[4].decode()}'"


def test_image_files_are_decoded_with_their_labels_and_names(tmp_path: Path) -> None:
    images = [ramp(2, 3), ramp(4, 5, start=40)]
    records = Records(LMDB(write_images(tmp_path / "db", images, "png")), None)

    samples = records.load(list(islice(records.items(0, 1), 2)))

    assert isinstance(samples, list)
    for number, sample in enumerate(samples):
        np.testing.assert_array_equal(sample.image, images[number].transpose(2, 0, 1))
        assert sample.label == number
        assert str(sample.where).endswith(f"db: record '0{number}'")


def test_raw_images_of_one_size_come_as_a_block(tmp_path: Path) -> None:
    images = [ramp(2, 3), ramp(2, 3, start=40)]
    records = Records(LMDB(write_images(tmp_path / "db", images)), None)

    block = records.load(list(islice(records.items(0, 1), 2)))

    assert isinstance(block, Block)
    np.testing.assert_array_equal(block.images, np.stack(images).transpose(0, 3, 1, 2))
    assert block.labels == [0, 1]
    assert str(block.where).endswith("db: record '00'")


@pytest.mark.parametrize(("color", "channels"), [(None, 3), (True, 3), (False, 1)])
def test_encoded_ones_are_decoded_in_colour_or_grey(
    tmp_path: Path, color: bool | None, channels: int
) -> None:
    records = Records(LMDB(write_images(tmp_path / "db", [ramp(2, 3)], "png")), color)

    loaded = records.load([next(records.items(0, 1))])

    assert isinstance(loaded, list)
    assert loaded[0].image.shape == (channels, 2, 3)


@pytest.mark.parametrize(
    ("datum", "text"),
    [
        pytest.param(encoded_datum(b"\xff\xd8 damaged", 3), "not an image", id="encoded"),
        pytest.param(Datum(channels=1, height=2, width=3, data=b"12345"), "5 numbers", id="raw"),
    ],
)
def test_a_damaged_one_is_named(tmp_path: Path, datum: Datum, text: str) -> None:
    good = encoded_datum(encode_image(ramp(2, 3), "png"), 0) if datum.encoded else None
    path = write_datums(tmp_path / "db", [good or to_datum(ramp(2, 3), 0), datum])
    records = Records(LMDB(path), None)

    with pytest.raises(DataError, match=f"record '01': {text}"):
        records.load(list(islice(records.items(0, 1), 2)))


@pytest.mark.parametrize(
    ("count", "extension", "light"),
    [(2, None, True), (3, None, False), (2, "png", False)],
    ids=["few bytes", "many bytes", "to be decoded"],
)
def test_light_batches_are_few_bytes_and_raw(
    tmp_path: Path, count: int, extension: str | None, light: bool
) -> None:
    images = [ramp(400, 300)]  # 360,000 bytes
    records = Records(LMDB(write_images(tmp_path / "db", images, extension)), None)

    assert records.light(count) is light
