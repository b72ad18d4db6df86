"""Weights in HDF5: which groups are layers, which blobs are left out, what is no weights."""

import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from caffepy.errors import WeightsError
from caffepy.net.weights_hdf5 import read_weights_hdf5

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)
BIAS = np.array([7, 8], np.float32)


def read(path: Path, fill: Callable[[h5py.File], object]) -> list[tuple[str, list[object]]]:
    """Write a file, and read it as names of layers with the numbers of their blobs."""
    with h5py.File(path / "a.caffemodel.h5", "w") as file:
        fill(file)
    layers = read_weights_hdf5(path / "a.caffemodel.h5")
    return [
        (layer.name, [None if blob is None else blob.tolist() for blob in layer.blobs])
        for layer in layers
    ]


def test_every_layer_has_a_group(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file["data/ip/0"] = WEIGHT
        file["data/ip/1"] = BIAS
        file["diff/ip/0"] = WEIGHT
        file.create_group("data/conv")

    assert read(tmp_path, fill) == [("conv", []), ("ip", [WEIGHT.tolist(), BIAS.tolist()])]


def test_blobs_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        for index in range(12):
            file[f"data/lstm/{index}"] = np.full(2, index, np.float32)

    ((_, blobs),) = read(tmp_path, fill)

    assert blobs == [[index, index] for index in range(12)]


def test_blobs_that_another_layer_owns_are_none(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file["data/ip/1"] = BIAS

    assert read(tmp_path, fill) == [("ip", [None, [7, 8]])]


def test_names_with_slashes_are_groups_in_groups(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file["data/3a/1x1/0"] = BIAS
        file["data/3a/relu"] = WEIGHT[:0]  # in the place of a group below
        del file["data/3a/relu"]
        file.create_group("data/3a/relu")
        file["data/4/0"] = BIAS
        file["data/4/5/0"] = BIAS

    assert [name for name, _ in read(tmp_path, fill)] == ["3a/1x1", "3a/relu", "4", "4/5"]


def test_doubles_are_rounded_and_the_arrays_are_torchs_to_take(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data/ip/0"] = np.array([0.1, 2], ">f8")

    ((blob,),) = [layer.blobs for layer in read_weights_hdf5(tmp_path / "a.h5")]

    assert blob is not None
    assert blob.dtype == np.float32
    assert blob.flags.writeable
    np.testing.assert_array_equal(blob, np.array([0.1, 2], np.float32))


def put(name: str, value: object) -> Callable[[h5py.File], object]:
    def fill(file: h5py.File) -> None:
        file[name] = value

    return fill


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        pytest.param(
            put("history/0", BIAS),
            " is no .caffemodel.h5: it has no group 'data', only 'history'",
            id="solverstate",
        ),
        pytest.param(
            lambda _: None,
            " is no .caffemodel.h5: it has no group 'data', only nothing",
            id="empty",
        ),
        pytest.param(
            put("data", WEIGHT),
            " is no .caffemodel.h5: it has no group 'data', only 'data'",
            id="rows of an HDF5Data layer",
        ),
        pytest.param(
            put("data/0", BIAS),
            ": /data/0 is no blob: blobs are floats, /data/layer/0",
            id="no layer",
        ),
        pytest.param(
            put("data/ip/kernel", BIAS),
            ": /data/ip/kernel is no blob: blobs are floats, /data/layer/0",
            id="no number",
        ),
        pytest.param(
            put("data/ip/0", "text"),
            ": /data/ip/0 is no blob: blobs are floats, /data/layer/0",
            id="text",
        ),
    ],
)
def test_what_is_no_weights_is_refused(
    tmp_path: Path, fill: Callable[[h5py.File], object], message: str
) -> None:
    with pytest.raises(WeightsError) as caught:
        read(tmp_path, fill)

    assert str(caught.value) == f"{tmp_path}/a.caffemodel.h5{message}"


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n and no more")

    with pytest.raises(WeightsError, match=r"a\.h5 cannot be read as an HDF5 file"):
        read_weights_hdf5(tmp_path / "a.h5")


def test_without_h5py_the_error_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)

    with pytest.raises(
        WeightsError, match=r"h5py, which is not installed: pip install caffepy\[hdf5"
    ):
        read_weights_hdf5(tmp_path / "a.h5")
