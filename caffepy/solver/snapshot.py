"""Snapshots: what a training writes so that it, or Caffe, can go on from there."""

import hashlib
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from caffepy.errors import SnapshotError
from caffepy.net.net import Net
from caffepy.net.params import Learnable
from caffepy.net.place import Place, go_to
from caffepy.net.weights import write_weights
from caffepy.proto import (
    BlobProto,
    LayerState,
    NamedBlob,
    NetPositions,
    RunState,
    SolverParameter,
    SolverState,
    SourcePosition,
)
from caffepy.proto.arrays import blob_shape, to_array, to_blob
from caffepy.proto.files import is_hdf5, read_binary, write_binary

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
    probe = Path(f"{prefix}.{os.getpid()}.probe")
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


def write_snapshot(net: Net, state: SolverState, prefix: str, *, diffs: bool) -> None:
    """Write the blobs of a net, and last the state that names their file.

    SnapshotError where a file cannot be written.
    """
    stem = f"{prefix}_iter_{state.iter}"
    state.learned_net = f"{stem}.caffemodel"
    log.info("Snapshotting to binary proto file %s", state.learned_net)
    write_weights(net, state.learned_net, diffs=diffs)
    state.run.weights_sha256 = digest(state.learned_net)
    log.info("Snapshotting solver state to binary proto file %s.solverstate", stem)
    write_binary(f"{stem}.solverstate", state)


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
    """A .solverstate, of Caffe or of caffepy.

    Raises:
        ParseError: the file is missing or broken.
        SnapshotError: the file is something else.
    """
    if is_hdf5(path):
        raise SnapshotError(f"{path}: snapshots in HDF5 cannot be read yet")
    if Path(path).suffix == ".caffemodel":
        raise _no_state(path)
    state = read_binary(path, SolverState)
    if not (state.HasField("iter") and state.HasField("learned_net")):
        raise _no_state(path)
    return state


def _no_state(path: str | Path) -> SnapshotError:
    return SnapshotError(
        f"{path} is no .solverstate: it names neither an iteration nor weights; the weights alone, "
        "a .caffemodel, start a training with -weights, and a .solverstate goes on with -snapshot"
    )


def find_weights(state: SolverState, state_path: str | Path) -> Path:
    """The file of the weights that belong to a state: beside it, or else where it was written.

    SnapshotError where there is none, or where it is not the file that the state was written with.
    """
    stored = Path(state.learned_net)
    beside = Path(state_path).parent / stored.name
    found = [path for path in (beside, stored) if path.is_file()]
    if not found:
        raise SnapshotError(f"{state_path}: File not found: {beside}, nor {stored}: its weights")
    if state.run.HasField("weights_sha256") and digest(found[0]) != state.run.weights_sha256:
        raise SnapshotError(
            f"{state_path}: {found[0]} is not the file that was written with it: its contents "
            "have changed since"
        )
    return found[0]


def read_history(
    state: SolverState, state_path: str | Path, learnable: Sequence[Learnable], slots: int
) -> list[Tensor]:
    """The history of a state, in the order of its blobs: slot by slot, in each all parameters.

    SnapshotError where it is the history of another net or type of solver.
    """
    owners = list(learnable) * slots
    if len(state.history) != len(owners):
        raise SnapshotError(
            f"{state_path}: Incorrect length of history blobs. It holds {len(state.history)}, this "
            f"solver keeps {len(owners)}: {slots} for each of {len(learnable)} parameters; is the "
            "state of another net, or of another type of solver?"
        )
    return [_history(*pair, state_path) for pair in zip(state.history, owners, strict=True)]


def _history(blob: BlobProto, owner: Learnable, state_path: str | Path) -> Tensor:
    shape, ours = blob_shape(blob), tuple(owner.param.shape)
    legacy = (1,) * (len(shape) - len(ours)) + ours  # of the time when all blobs had four axes
    if shape not in (ours, legacy):
        raise SnapshotError(
            f"{state_path}: the history of blob {owner.index} of layer {owner.layer!r} has shape "
            f"{shape}, and the blob {ours}: it is the state of another net"
        )
    return torch.from_numpy(to_array(blob)).reshape(ours)


def capture(
    places: Sequence[Place],
    losses: Iterable[float],
    seed: int,
    device: torch.device,
) -> RunState:
    """What a run needs besides parameters and history to go on as if it had never stopped.

    places: of the train net, then one a test net.
    """
    train, *tests = map(_listed, places)
    run = RunState(
        random_seed=seed,
        rng_state=torch.get_rng_state().numpy().tobytes(),
        losses=losses,
        train_position=train.position,
        layer_state=train.layer_state,
        test_positions=tests,
    )
    if device.type == "cuda":
        run.device_rng_state = torch.cuda.get_rng_state(device).numpy().tobytes()
    return run


def recall(run: RunState, net: Net, test_nets: Sequence[Net], device: torch.device) -> None:
    """Put the data, what layers carry and the generators back where `capture` saw them."""
    train = NetPositions(position=run.train_position, layer_state=run.layer_state)
    go_to(net, _place(train), run.random_seed)
    if len(run.test_positions) == len(test_nets):
        for test_net, listed in zip(test_nets, run.test_positions, strict=True):
            go_to(test_net, _place(listed), run.random_seed)
    else:
        log.warning(
            "The snapshot is of %d test nets: test data starts over", len(run.test_positions)
        )
    torch.set_rng_state(_state(run.rng_state))
    if device.type == "cuda" and run.HasField("device_rng_state"):
        torch.cuda.set_rng_state(_state(run.device_rng_state), device)
    elif device.type == "cuda" or run.HasField("device_rng_state"):
        log.warning("The snapshot is of another kind of device: what is random is drawn anew")


def _listed(place: Place) -> NetPositions:
    return NetPositions(
        position=[
            SourcePosition(layer=name, position=read) for name, read in place.positions.items()
        ],
        layer_state=[
            LayerState(
                layer=layer,
                buffer=[
                    NamedBlob(name=name, blob=to_blob(value.cpu().numpy()))
                    for name, value in state.items()
                ],
            )
            for layer, state in place.states.items()
        ],
    )


def _place(listed: NetPositions) -> Place:
    positions = {entry.layer: entry.position for entry in listed.position}
    states = {
        entry.layer: {item.name: torch.from_numpy(to_array(item.blob)) for item in entry.buffer}
        for entry in listed.layer_state
    }
    return Place(positions, states)


def _state(stored: bytes) -> Tensor:
    return torch.frombuffer(bytearray(stored), dtype=torch.uint8)
