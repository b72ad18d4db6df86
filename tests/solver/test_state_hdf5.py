"""States in HDF5: what Caffe finds in ours, and what we find in Caffe's."""

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from caffepy.errors import SnapshotError
from caffepy.proto import RunState, SolverState
from caffepy.proto.arrays import to_array, to_blob
from caffepy.solver.state_hdf5 import hdf5_state, read_state_hdf5

HISTORY = [
    np.arange(index, index + 6, dtype=np.float32).reshape(shape) / 7
    for index, shape in enumerate([(2, 3), (6,), (1, 2, 3), (3, 2)] * 3)
]
STATE = SolverState(
    iter=70000,
    current_step=2,
    learned_net="snäp/run_iter_70000.caffemodel.h5",
    history=map(to_blob, HISTORY),
    run=RunState(random_seed=5, losses=[1, 2], rng_state=b"a\0b\0"),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "run.solverstate.h5"
    path.write_bytes(hdf5_state(STATE, path))
    return path


def test_what_is_written_is_read(path: Path) -> None:
    assert read_state_hdf5(path) == STATE


def test_the_history_may_be_left_out(path: Path) -> None:
    header = SolverState()
    header.CopyFrom(STATE)
    header.ClearField("history")
    assert read_state_hdf5(path, history=False) == header


def test_caffe_finds_its_datasets_and_no_others_in_history(path: Path) -> None:
    """Read as Caffe's hdf5_load_int, hdf5_load_string and hdf5_load_nd_dataset read."""
    with h5py.File(path) as file:
        assert set(file) == {"iter", "current_step", "learned_net", "history", "caffepy"}
        for name, value in (("iter", 70000), ("current_step", 2)):
            assert (file[name].shape, file[name].dtype) == ((1,), np.dtype("<i4"))
            assert file[name][0] == value
        string = h5py.h5d.open(file.id, b"learned_net")
        buffer = np.full(string.get_type().get_size(), ord("?"), np.uint8)
        string.read(h5py.h5s.ALL, h5py.h5s.ALL, buffer.view(f"S{len(buffer)}"), string.get_type())
        assert bytes(buffer) == STATE.learned_net.encode() + b"\0"
        assert string.get_type().get_strpad() == h5py.h5t.STR_NULLTERM
        assert string.get_space().get_simple_extent_ndims() == 0
        assert len(file["history"]) == 12
        for index, array in enumerate(HISTORY):
            dataset = file[f"history/{index}"]
            assert dataset.dtype == np.dtype("<f4")
            np.testing.assert_array_equal(dataset, array, strict=True)


@pytest.mark.parametrize("kind", ["fixed", "variable"])
def test_a_file_of_caffes_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "caffe.solverstate.h5"
    name = "snap/run_iter_8.caffemodel.h5"
    with h5py.File(path, "w") as file:
        file["iter"] = np.array([8], np.int32)
        file["current_step"] = np.array([1], np.int32)
        file["learned_net"] = np.bytes_(name) if kind == "fixed" else name
        for index, array in enumerate(HISTORY):
            file[f"history/{index}"] = array

    state = read_state_hdf5(path)

    assert (state.iter, state.current_step, state.learned_net) == (8, 1, name)
    assert not state.HasField("run")
    for stored, array in zip(state.history, HISTORY, strict=True):
        np.testing.assert_array_equal(to_array(stored), array, strict=True)


def test_a_history_with_a_gap_is_refused(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["history/4"]

    with pytest.raises(SnapshotError, match=r"run\.solverstate\.h5 is no \.solverstate\.h5: .*'4'"):
        read_state_hdf5(path)


def test_without_h5py_the_error_says_how_to_install_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)

    with pytest.raises(SnapshotError, match=r"not installed: pip install 'caffepy\[hdf5\]'"):
        read_state_hdf5(path)
