"""A solver's state in HDF5, .solverstate.h5, as Caffe has it; what is ours is in /caffepy."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from google.protobuf.message import DecodeError

from caffepy.data.hdf5 import hdf5_bytes, open_hdf5
from caffepy.errors import SnapshotError
from caffepy.proto import RunState, SolverState
from caffepy.proto.arrays import to_array, to_blob

if TYPE_CHECKING:
    import h5py

RUN = "caffepy/run"  # the bytes of the RunState: Caffe aborts at anything more inside /history


def hdf5_state(state: SolverState, path: str | Path) -> bytes:
    """The bytes of a .solverstate.h5; errors name the file that they are for.

    SnapshotError where h5py is not installed.

    Source: SGDSolver::SnapshotSolverStateToHDF5 in caffe/src/caffe/solvers/sgd_solver.cpp
    """

    def fill(file: "h5py.File") -> None:
        file["iter"] = np.array([state.iter], np.int32)
        file["current_step"] = np.array([state.current_step], np.int32)
        _write_string(file, "learned_net", state.learned_net)
        history = file.create_group("history")
        for index, blob in enumerate(state.history):
            history[str(index)] = to_array(blob)
        file[RUN] = np.frombuffer(state.run.SerializeToString(), np.uint8)

    return hdf5_bytes(path, fill, SnapshotError)


def read_state_hdf5(path: str | Path, *, history: bool = True) -> SolverState:
    """The state in a .solverstate.h5, of Caffe or of caffepy; fields that are not there stay unset.

    history: whether to read it.

    Raises:
        SnapshotError: the file is broken, or h5py is not installed.
    """
    with open_hdf5(path, SnapshotError) as file:
        try:
            return _state(file, history=history)
        except (AttributeError, LookupError, TypeError, ValueError, DecodeError) as error:
            raise SnapshotError(f"{path} is no .solverstate.h5: {error}") from error


def _state(file: "h5py.File", *, history: bool) -> SolverState:
    state = SolverState()
    if "iter" in file:
        state.iter = int(file["iter"][0])
    if "current_step" in file:
        state.current_step = int(file["current_step"][0])
    if "learned_net" in file:
        state.learned_net = file["learned_net"].asstr("utf-8")[()]
    if RUN in file:
        state.run.CopyFrom(RunState.FromString(file[RUN][()].tobytes()))
    if history and "history" in file:
        blobs = file["history"]
        state.history.extend(to_blob(blobs[str(index)][()]) for index in range(len(blobs)))
    return state


def _write_string(file: "h5py.File", name: str, text: str) -> None:
    """A string as Caffe reads it: of fixed length, with a zero at the end.

    h5py's own have none, and Caffe would read on.
    """
    from h5py import h5d, h5s, h5t

    data = np.bytes_(text.encode() + b"\0")
    kind = h5t.C_S1.copy()
    kind.set_size(len(text.encode()) + 1)
    kind.set_strpad(h5t.STR_NULLTERM)
    dataset = h5d.create(file.id, name.encode(), kind, h5s.create(h5s.SCALAR))
    dataset.write(h5s.ALL, h5s.ALL, np.array(data, f"S{kind.get_size()}"), mtype=kind)
