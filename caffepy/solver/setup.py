"""What a solver settles before it trains: its settings, its seed and its nets."""

import logging
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from caffepy.data.hdf5 import import_h5py
from caffepy.errors import SnapshotError, SolverError
from caffepy.graph.graph import Graph
from caffepy.graph.solver_nets import SolverFile, test_graphs, train_graph
from caffepy.net.need import require_gradients
from caffepy.net.net import Net
from caffepy.net.weights import CopyReport, copy_weights
from caffepy.net.weights_hdf5 import check_names
from caffepy.proto import SolverParameter
from caffepy.proto.files import to_text
from caffepy.solver import report
from caffepy.solver.series import clear_leftovers, find_snapshot
from caffepy.solver.snapshot import check_writable, snapshot_prefix

log = logging.getLogger(__name__)


def complete(file: SolverFile) -> SolverParameter:
    """The settings of a solver's file, snapshot_prefix filled in.

    Where snapshots are due, it must be possible to write them; of a stepped solver, only those that
    its steps make.

    Raises:
        SnapshotError: snapshots could not be written.
    """
    param = SolverParameter()
    param.CopyFrom(file.param)
    param.snapshot_prefix = snapshot_prefix(param, file.path)
    log.info("Initializing solver from parameters: \n%s", to_text(param).rstrip())
    at_end = param.snapshot_after_train and not file.stepped
    if param.snapshot or at_end or param.HasField("keep_best"):
        check_writable(param.snapshot_prefix)
        clear_leftovers(param.snapshot_prefix)
    return param


def check_format(file: SolverFile, net: Net) -> None:
    """Raise SnapshotError, before any training, where its snapshots could not be written as HDF5.

    Names with slashes are told: what Caffe reads and what it does not is seen nowhere else.
    """
    if file.param.snapshot_format != SolverParameter.HDF5:
        return
    place = file.position.at("snapshot_format")
    import_h5py(f"{place}: snapshot_format HDF5", SnapshotError)
    check_names(net)
    names = [name for index, name in enumerate(net.layer_names) if net.blobs_of(index)]
    slashed = [name for name in names if "/" in name]
    if slashed:
        log.warning(
            "%s: caffepy reads layers with a slash in their name from HDF5, such as %r; Caffe "
            "passes over them",
            place,
            slashed[0],
        )


def choose_snapshot(prefix: str, given: str | Path | None, *, resume: bool) -> str | Path | None:
    """The state to go on from: the one given, or with `resume` the newest of the prefix, if any.

    SolverError where both are asked for.
    """
    if not resume:
        return given
    if given is not None:
        raise SolverError(f"resume finds the snapshot; leave out {given}, or resume")
    return find_snapshot(prefix)


def sow(param: SolverParameter) -> int:
    """The seed of all that is random in a run, which torch's generators now follow."""
    seed = param.random_seed
    if seed < 0:
        seed = secrets.randbits(32)
        log.info("random_seed was not specified and is set to %d", seed)
    torch.manual_seed(seed)
    return seed


def weight_files(weights: str | Path | Sequence[str | Path]) -> list[str]:
    """The files of weights to start from: each entry may be a comma list."""
    entries = [weights] if isinstance(weights, str | Path) else weights
    return [name.strip() for entry in entries for name in str(entry).split(",")]


def make_nets(
    file: SolverFile,
    make: Callable[[Graph], Net],
    weights: Sequence[str],
    level: int,
    stages: Sequence[str],
) -> tuple[Net, list[Net], list[CopyReport]]:
    """The net to train, those to test, and what each file of weights did to the first.

    The test nets share the blobs of the train net. The level and stages are the train net's alone,
    as those of Caffe's command line are.
    """
    log.info(report.train_source(file.param))
    net = make(train_graph(file, level, stages))
    require_gradients(net)
    copied = _finetune(net, weights)
    check_format(file, net)
    test_nets = []
    for index, graph in enumerate(test_graphs(file)):
        log.info(report.test_source(file.param, index))
        test_net = make(graph)
        test_net.share_with(net)
        _finetune(test_net, weights)
        test_nets.append(test_net)
    return net, test_nets, copied


def _finetune(net: Net, weights: Sequence[str]) -> list[CopyReport]:
    reports = []
    for name in weights:
        log.info("Finetuning from %s", name)
        reports.append(copy_weights(net, name))
    return reports
