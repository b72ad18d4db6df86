from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from caffepy.data.database import open_database
from caffepy.data.datum import decode, parse_datum
from caffepy.data.features import KINDS, feature_writer
from caffepy.data.folder import find_backend
from caffepy.errors import DataError
from caffepy.proto import DataParameter

FIRST = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
SECOND = np.full((3, 3, 4), -0.5, np.float32)


def write(kind: str, path: Path, *batches: NDArray[np.float32]) -> None:
    with feature_writer(kind, str(path), "ip/1") as append:
        for batch in batches:
            append(batch)


@pytest.mark.parametrize("kind", ["lmdb", "leveldb"])
@pytest.mark.parametrize(
    ("item", "shape"),
    [((), (1, 1, 1)), ((5,), (5, 1, 1)), ((3, 4), (3, 4, 1)), ((3, 4, 2), (3, 4, 2))],
    ids=str,
)
def test_every_item_is_a_record(
    tmp_path: Path, kind: str, item: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    items = np.random.default_rng(0).normal(size=(5, *item)).astype(np.float32)

    write(kind, tmp_path / "db", items[:2], items[2:])

    database = open_database(tmp_path / "db")
    assert find_backend(tmp_path / "db") == DataParameter.DB.Value(kind.upper())
    assert list(database.keys()) == [b"%010d" % number for number in range(5)]
    for key, expected in zip(database.keys(), items, strict=True):
        datum = parse_datum(database.get(key))
        assert not datum.HasField("label")
        np.testing.assert_array_equal(decode(datum), expected.reshape(shape))


def test_an_array_for_numpy(tmp_path: Path) -> None:
    write("npy", tmp_path / "ip.npy", FIRST, SECOND)

    array = np.load(tmp_path / "ip.npy")
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, np.concatenate([FIRST, SECOND]))


@pytest.mark.parametrize("item", [(), (7,)], ids=str)
def test_an_array_that_grows_past_its_first_length(tmp_path: Path, item: tuple[int, ...]) -> None:
    items = np.ones((1001, *item), np.float32)

    write("npy", tmp_path / "ip.npy", items[:1], items[1:])

    assert np.load(tmp_path / "ip.npy").shape == (1001, *item)


def test_a_dataset_named_as_the_blob(tmp_path: Path) -> None:
    write("hdf5", tmp_path / "ip.h5", FIRST, SECOND)

    with h5py.File(tmp_path / "ip.h5") as file:
        np.testing.assert_array_equal(file["ip/1"], np.concatenate([FIRST, SECOND]))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_where_it_fails(tmp_path: Path, kind: str) -> None:
    def fail() -> None:
        with feature_writer(kind, str(tmp_path / "out"), "ip") as append:
            append(FIRST)
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["lmdb", "leveldb"])
def test_a_record_has_three_axes(tmp_path: Path, kind: str) -> None:
    with pytest.raises(DataError, match=r"'ip/1' has shape \(2, 1, 1, 1, 1\); a record has 3 axes"):
        write(kind, tmp_path / "db", np.zeros((2, 1, 1, 1, 1), np.float32))


def test_items_of_an_array_have_one_shape(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'ip/1' have shape \(4,\) now, and had \(3, 4\) before"):
        write("npy", tmp_path / "ip.npy", FIRST, FIRST[0])


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written: No such file"):
        write("npy", tmp_path / "none" / "ip.npy", FIRST)
