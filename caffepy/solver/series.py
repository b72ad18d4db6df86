"""The snapshots of one prefix: which there are, which to go on from, which to delete."""

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from caffepy.data.hdf5 import import_h5py
from caffepy.errors import CaffeError, SnapshotError
from caffepy.net.weights import read_layers
from caffepy.proto import SolverState
from caffepy.proto.files import TEMPORARY, remove
from caffepy.solver.snapshot import digest, find_weights, read_header, read_state

log = logging.getLogger(__name__)


class Snapshot(NamedTuple):
    """A state and what it says, its history left out."""

    path: Path
    state: SolverState

    @property
    def written(self) -> int:
        """When, in microseconds since 1970: a copied file still knows, one of Caffe's does not."""
        if self.state.run.HasField("written"):
            return self.state.run.written
        return self.path.stat().st_mtime_ns // 1000


def find_snapshot(prefix: str) -> Path | None:
    """The state that was written last among those of a prefix that are valid; None without any.

    Valid is a state that can be read, with weights that can be read and are the file it was written
    with. Each one that is not is logged, with the reason, and so is a start from scratch.

    SnapshotError where there is one in HDF5, and h5py is not installed.
    """
    snapshots = []
    for path in _states(prefix):
        if path.suffix == ".h5":
            import_h5py(path, SnapshotError)  # without it a snapshot is not invalid, but unknown
        try:
            snapshots.append(Snapshot(path, read_header(path)))
        except CaffeError as error:
            log.warning("Passing over a snapshot: %s", error)
    snapshots.sort(key=lambda snapshot: (snapshot.written, snapshot.state.iter), reverse=True)
    for snapshot in snapshots:
        try:
            read_layers(find_weights(read_state(snapshot.path), snapshot.path))
        except CaffeError as error:
            log.warning("Passing over a snapshot: %s", error)
        else:
            return snapshot.path
    log.info("No valid snapshot of prefix %s to resume from: starting without one", prefix)
    return None


def prune(prefix: str, run_id: int, iteration: int, keep: int) -> None:
    """Delete the snapshots of a run up to an iteration, but for the last `keep` of them.

    Those of other runs under the same prefix stay, as do weights that are no more what was written,
    and snapshots of the same run beyond the iteration: it went on from before them.

    Raises:
        SnapshotError: a file cannot be removed.
    """
    past = [
        snapshot
        for snapshot in _readable(prefix)
        if snapshot.state.run.HasField("run_id")
        and snapshot.state.run.run_id == run_id
        and snapshot.state.iter <= iteration
    ]
    past.sort(key=lambda snapshot: (snapshot.state.iter, snapshot.written))
    for path, state in past[:-keep]:
        log.info("Removing snapshot %s", path)
        weights = path.parent / Path(state.learned_net).name
        untouched = weights.is_file() and digest(weights) == state.run.weights_sha256
        remove(path)  # first, so that no state is without its weights
        if untouched:
            remove(weights)


def clear_leftovers(prefix: str) -> None:
    """Remove the unfinished files of processes that were killed while they wrote a snapshot."""
    stem = Path(prefix)
    pattern = rf"\.{re.escape(stem.name)}_(iter_\d+|best)\..*\.(\d+){re.escape(TEMPORARY)}"
    for path in _folder(stem):
        found = re.fullmatch(pattern, path.name)
        if found and not _runs(int(found[2])):
            log.info("Removing %s, which a process that was killed has left", path)
            remove(path)


def _states(prefix: str) -> list[Path]:
    """The states of a prefix, in whichever format."""
    stem = Path(prefix)
    pattern = rf"{re.escape(stem.name)}_iter_\d+\.solverstate(\.h5)?"
    return sorted(path for path in _folder(stem) if re.fullmatch(pattern, path.name))


def _folder(stem: Path) -> list[Path]:
    """The files beside those of a prefix; none where even their folder is missing."""
    return list(stem.parent.iterdir()) if stem.parent.is_dir() else []


def _readable(prefix: str) -> Iterator[Snapshot]:
    for path in _states(prefix):
        try:
            yield Snapshot(path, read_header(path))
        except CaffeError as error:
            log.warning("Leaving a snapshot: %s", error)


def _runs(process: int) -> bool:
    """Whether a process is there that may still be writing; this one has not begun to."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True
