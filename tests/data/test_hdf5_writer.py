import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from caffepy.data.hdf5_writer import HDF5Writer
from caffepy.errors import DataError


def rows(start: int, count: int, *row: int) -> NDArray[np.float32]:
    size = count * int(np.prod(row))
    return np.arange(start, start + size, dtype=np.float32).reshape(count, *row)


def test_rows_are_appended_and_can_be_read_in_between(tmp_path: Path) -> None:
    writer = HDF5Writer(str(tmp_path / "out.h5"))
    assert not (tmp_path / "out.h5").exists()

    for count, total in ((2, 2), (3, 5), (1, 6)):
        writer.append(a=rows(10 * total, count, 4, 5), b=rows(total, count))
        with h5py.File(tmp_path / "out.h5") as file:
            assert {name: file[name].shape for name in file} == {"a": (total, 4, 5), "b": (total,)}
            np.testing.assert_array_equal(file["a"][total - count :], rows(10 * total, count, 4, 5))
            np.testing.assert_array_equal(file["b"][total - count :], rows(total, count))
            assert file["a"].dtype == np.float32


def test_a_file_that_was_there_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.h5"
    path.write_text("something else")

    HDF5Writer(str(path)).append(a=rows(0, 2, 3))

    with h5py.File(path) as file:
        assert list(file) == ["a"]


def test_rows_of_another_shape_are_refused_and_nothing_of_them_is_written(tmp_path: Path) -> None:
    writer = HDF5Writer(str(tmp_path / "out.h5"))
    writer.append(a=rows(0, 2, 3), b=rows(0, 2, 4))

    with pytest.raises(
        DataError,
        match=r"out\.h5: dataset 'b' has rows of shape \(4,\); cannot append rows of shape \(5,\)",
    ):
        writer.append(a=rows(0, 2, 3), b=rows(0, 2, 5))

    with h5py.File(tmp_path / "out.h5") as file:
        assert (len(file["a"]), len(file["b"])) == (2, 2)


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no folder '.*nowhere'"):
        HDF5Writer(str(tmp_path / "nowhere" / "out.h5"))
    with pytest.raises(DataError, match="is a folder"):
        HDF5Writer(str(tmp_path))


def test_a_file_that_is_open_elsewhere_is_refused(tmp_path: Path) -> None:
    writer = HDF5Writer(str(tmp_path / "out.h5"))
    with (
        h5py.File(tmp_path / "out.h5", "w"),
        pytest.raises(DataError, match=r"out\.h5 cannot be written as an HDF5 file"),
    ):
        writer.append(a=rows(0, 2))


def test_without_h5py_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)

    with pytest.raises(
        DataError, match=r"h5py, which is not installed: pip install 'caffepy\[hdf5\]'"
    ):
        HDF5Writer(str(tmp_path / "out.h5"))
