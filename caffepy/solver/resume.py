"""What a snapshot holds of a solver; going on from one: what must fit, and where it goes."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from caffepy.errors import SnapshotError
from caffepy.net.net import Net
from caffepy.net.params import Learnable
from caffepy.net.weights import copy_weights
from caffepy.proto import BlobProto, RunState, SolverState
from caffepy.proto.arrays import blob_shape, to_array, to_blob
from caffepy.solver.snapshot import find_weights, read_state
from caffepy.solver.update import Updater

log = logging.getLogger(__name__)


def state_of(iteration: int, updater: Updater, run: RunState) -> SolverState:
    """What a snapshot tells besides the weights; `take_up` reads it."""
    return SolverState(
        iter=iteration,
        current_step=updater.current_step,
        history=[to_blob(tensor.cpu().numpy()) for tensor in updater.history],
        run=run,
    )


def take_up(path: str | Path, net: Net, updater: Updater) -> SolverState:
    """Put the weights and the history of a snapshot into a net and its updater.

    Everything that the state says of itself is checked first.

    Returns:
        The state, for the rest of it.

    Raises:
        ParseError, SnapshotError, WeightsError: a file is missing, broken, or of another training.
    """
    state = read_state(path)
    _check_type(state, path, updater.param.type)
    history = read_history(state, path, net.learnable, updater.rule.slots)
    weights = find_weights(state, path)
    missing = copy_weights(net, weights).kept
    if missing:
        raise SnapshotError(
            f"{weights} has no blobs for {', '.join(map(repr, missing))}: the snapshot is of "
            "another net"
        )
    log.info("SGDSolver: restoring history")
    for tensor, restored in zip(updater.history, history, strict=True):
        tensor.copy_(restored)
    updater.current_step = state.current_step
    return state


def _check_type(state: SolverState, state_path: str | Path, solver_type: str) -> None:
    """Raise SnapshotError for the state of a solver of another type, where it tells its type.

    Caffe's do not; the number of their blobs has to do.
    """
    if state.run.HasField("solver_type") and state.run.solver_type != solver_type:
        raise SnapshotError(
            f"{state_path}: its history is that of a {state.run.solver_type} solver, and this one "
            f"is {solver_type}; -weights {state.learned_net} takes the weights alone"
        )


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
