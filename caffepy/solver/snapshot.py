"""Snapshots: what a training writes so that it, or Caffe, can go on from there."""

import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from google.protobuf.message import DecodeError

from caffepy.errors import ParseError, SnapshotError
from caffepy.net.net import Net
from caffepy.net.params import Learnable
from caffepy.net.weights import binary_weights
from caffepy.net.weights_hdf5 import hdf5_weights
from caffepy.proto import SolverParameter, SolverState
from caffepy.proto.files import TEMPORARY, encode, is_hdf5, read_binary, remove, staged, unreadable
from caffepy.proto.wire import read_fields
from caffepy.solver.state_hdf5 import hdf5_state, read_state_hdf5

log = logging.getLogger(__name__)


def snapshot_prefix(param: SolverParameter, solver_path: str | Path) -> str:
    """What the names of snapshots begin with.

    Unset, it is the solver's file without its extension; for a directory, the name of the
    solver's file inside it.
    """
    if not param.HasField("snapshot_prefix"):
        prefix = str(Path(solver_path).with_suffix(""))
        log.info("snapshot_prefix was not specified and is set to %s", prefix)
    elif Path(param.snapshot_prefix).is_dir():
        prefix = str(Path(param.snapshot_prefix, Path(solver_path).stem))
        log.info("snapshot_prefix was a directory and is replaced to %s", prefix)
    else:
        prefix = param.snapshot_prefix
    return prefix


def check_writable(prefix: str) -> None:
    """Raise SnapshotError where no file can be made whose name begins with the prefix."""
    folder, name = os.path.split(prefix)  # Path would drop the slash of "folder/"
    probe = Path(folder, f".{name}_iter_0.probe.{os.getpid()}{TEMPORARY}")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SnapshotError(
            f"Cannot write to snapshot prefix '{prefix}'.  Make sure that the directory exists "
            f"and is writable. ({error.strerror}: {probe.parent})"
        ) from error


def digest(path: str | Path) -> bytes:
    """The SHA-256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def write_pair(net: Net, state: SolverState, stem: str, *, hdf5: bool, diffs: bool) -> None:
    """Write the blobs of a net, and the state that names their file, as STEM.caffemodel and so on.

    Both are on the disk before either takes its name, and the weights take theirs first: there is
    never a state whose weights are missing, cut short or another's.

    Raises:
        SnapshotError: a file cannot be written; what was there before is there still.
    """
    kind, suffix = ("HDF5", ".h5") if hdf5 else ("binary proto", "")
    path = f"{stem}.solverstate{suffix}"
    state.learned_net = f"{stem}.caffemodel{suffix}"
    log.info("Snapshotting to %s file %s", kind, state.learned_net)
    encode_weights = hdf5_weights if hdf5 else binary_weights
    weights = encode_weights(net, state.learned_net, diffs=diffs)
    state.run.weights_sha256 = hashlib.sha256(weights).digest()
    with staged(state.learned_net, weights) as name_weights:
        del weights
        log.info("Snapshotting solver state to %s file %s", kind, path)
        data = hdf5_state(state, path) if hdf5 else encode(state, path)
        with staged(path, data) as name_state:
            if not _holds(state.learned_net, state.run.weights_sha256):
                remove(path)  # an older state, whose weights are about to go
            name_weights()
            name_state()


def _holds(path: str, sha256: bytes) -> bool:
    return Path(path).is_file() and digest(path) == sha256


def check_finite(learnable: Sequence[Learnable], iteration: int) -> None:
    """Raise SnapshotError where a parameter holds a NaN or an infinity: nobody can use it."""
    for entry in learnable:
        if not bool(torch.isfinite(entry.param).all()):
            raise SnapshotError(
                f"iteration {iteration}: blob {entry.index} of layer {entry.layer!r} holds values "
                "that are not finite, so no snapshot is written; lower base_lr and start again "
                "from an earlier snapshot"
            )


def read_state(path: str | Path) -> SolverState:
    """A .solverstate or a .solverstate.h5, of Caffe or of caffepy, as its content says.

    Raises:
        ParseError: the file is missing or broken.
        SnapshotError: the file is something else, or broken and HDF5.
    """
    if is_hdf5(path):
        return _checked(read_state_hdf5(path), path)
    if Path(path).suffix == ".caffemodel":
        raise _no_state(path)
    return _checked(read_binary(path, SolverState), path)


def read_header(path: str | Path) -> SolverState:
    """A state without its history, which can be as large as the weights and is not read.

    Raises:
        ParseError, SnapshotError: as `read_state` does.
    """
    if is_hdf5(path):
        return _checked(read_state_hdf5(path, history=False), path)
    try:
        state = _header(np.memmap(path, np.uint8, "r").data)
    except OSError as error:
        raise ParseError(unreadable(path, error)) from error
    except (ParseError, DecodeError, ValueError) as error:  # ValueError: an empty file
        raise ParseError(f"{path}: no binary SolverState: {error}") from error
    return _checked(state, path)


def _header(data: memoryview) -> SolverState:
    fields = read_fields(data)
    state = SolverState(learned_net=fields.text(SolverState.LEARNED_NET_FIELD_NUMBER))
    for number in fields.ints.get(SolverState.ITER_FIELD_NUMBER, []):
        state.iter = number
    for run in fields.views.get(SolverState.RUN_FIELD_NUMBER, []):
        state.run.MergeFromString(bytes(run))
    return state


def _checked(state: SolverState, path: str | Path) -> SolverState:
    if not (state.HasField("iter") and state.learned_net):
        raise _no_state(path)
    return state


def _no_state(path: str | Path) -> SnapshotError:
    return SnapshotError(
        f"{path} is no .solverstate: it names neither an iteration nor weights; the weights alone, "
        "a .caffemodel, start a training with -weights, and a .solverstate goes on with -snapshot"
    )


def find_weights(state: SolverState, state_path: str | Path) -> Path:
    """The file of the weights that belong to a state: beside it, or else where it was written.

    SnapshotError where there is none, or none that is the file that the state was written with.
    """
    stored = Path(state.learned_net)
    beside = Path(state_path).parent / stored.name
    found = [path for path in (beside, stored) if path.is_file()]
    if not found:
        raise SnapshotError(f"{state_path}: File not found: {beside}, nor {stored}: its weights")
    for path in found:
        if not state.run.weights_sha256 or digest(path) == state.run.weights_sha256:
            return path
    raise SnapshotError(
        f"{state_path}: {found[0]} is not the file that was written with it: its contents have "
        "changed since"
    )
