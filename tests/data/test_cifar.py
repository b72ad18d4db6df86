"""CIFAR-10's binary batches, whole ones: 10,000 images each, drawn at random."""

from pathlib import Path

import numpy as np
import pytest

from caffepy.data.cifar import RECORD, RECORDS, TEST, TRAIN, check_batch, convert_cifar
from caffepy.data.database import BACKENDS, open_database
from caffepy.errors import DataError
from caffepy.proto import Datum


@pytest.fixture
def batches(tmp_path: Path) -> Path:
    """All six; where nothing is written to them they are zeros, which take no place on disk."""
    for name in [*TRAIN, *TEST]:
        with (tmp_path / name).open("wb") as file:
            file.truncate(RECORDS * RECORD)
    return tmp_path


def write_image(path: Path, index: int, label: int) -> bytes:
    """Put an image into a batch; its 3072 bytes."""
    pixels = np.random.default_rng(index).integers(0, 256, RECORD - 1, np.uint8).tobytes()
    with path.open("r+b") as file:
        file.seek(index * RECORD)
        file.write(bytes([label]) + pixels)
    return pixels


@pytest.mark.parametrize("kind", ["lmdb", pytest.param("leveldb", marks=pytest.mark.slow)])
def test_images_keep_their_order_and_their_bytes(batches: Path, kind: str) -> None:
    first = write_image(batches / "data_batch_1.bin", 0, 6)
    later = write_image(batches / "data_batch_3.bin", 17, 9)
    tested = write_image(batches / "test_batch.bin", 9_999, 2)
    (batches / "out").mkdir()

    convert_cifar(batches, batches / "out", kind)

    train = open_database(batches / f"out/cifar10_train_{kind}", BACKENDS[kind])
    test = open_database(batches / f"out/cifar10_test_{kind}", BACKENDS[kind])
    assert (len(train), len(test)) == (50_000, 10_000)
    for database, key, pixels, label in [
        (train, b"00000", first, 6),
        (train, b"20017", later, 9),
        (test, b"09999", tested, 2),
    ]:
        expected = Datum(channels=3, height=32, width=32, data=pixels, label=label)
        assert database.get(key) == expected.SerializeToString()


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        pytest.param("data_batch_5.bin", None, "data_batch_5.bin: No such file", id="missing"),
        pytest.param("test_batch.bin", 0, "test_batch.bin: 0 bytes; a batch", id="empty"),
        pytest.param(
            "data_batch_2.bin",
            RECORDS * RECORD - 1,
            "data_batch_2.bin: 30729999 bytes; a batch of CIFAR-10 has 30730000",
            id="cut short",
        ),
    ],
)
def test_batches_that_are_none(batches: Path, name: str, size: int | None, message: str) -> None:
    (batches / name).unlink()
    if size is not None:
        with (batches / name).open("wb") as file:
            file.truncate(size)

    with pytest.raises(DataError, match=message):
        convert_cifar(batches, batches, "lmdb")
    assert not list(batches.glob("cifar10_*"))


def test_a_label_that_is_no_class(batches: Path) -> None:
    write_image(batches / "data_batch_1.bin", 7, 10)

    with pytest.raises(DataError, match=r"data_batch_1.bin: image 7 has label 10; classes are 0"):
        convert_cifar(batches, batches, "lmdb")
    assert not list(batches.glob("*cifar10_*"))


@pytest.mark.parametrize("part", ["train", "test"])
def test_databases_are_not_overwritten(batches: Path, part: str) -> None:
    (batches / f"cifar10_{part}_lmdb").mkdir()

    with pytest.raises(DataError, match=f"cifar10_{part}_lmdb: exists already"):
        convert_cifar(batches, batches, "lmdb")
    assert len(list(batches.glob("*cifar10_*"))) == 1


def test_a_whole_batch(batches: Path) -> None:
    check_batch(batches / "test_batch.bin")
