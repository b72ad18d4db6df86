"""What a solver settles before it trains: its settings, its seed and its nets."""

import logging
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from caffepy.errors import SolverError, near
from caffepy.graph.graph import Graph
from caffepy.graph.solver_nets import SolverFile, test_graphs, train_graph
from caffepy.net.net import Net
from caffepy.net.weights import CopyReport, copy_weights
from caffepy.proto import SolverParameter
from caffepy.proto.files import to_text
from caffepy.solver import report
from caffepy.solver.plateau import sign
from caffepy.solver.snapshot import check_writable, snapshot_prefix

log = logging.getLogger(__name__)


def complete(file: SolverFile) -> SolverParameter:
    """The settings of a solver's file, snapshot_prefix filled in.

    Raises:
        SolverError: a setting that cannot be followed.
        SnapshotError: snapshots could not be written.
    """
    param = SolverParameter()
    param.CopyFrom(file.param)
    param.snapshot_prefix = snapshot_prefix(param, file.path)
    log.info("Initializing solver from parameters: \n%s", to_text(param).rstrip())
    if param.snapshot_format == SolverParameter.HDF5:
        place = file.position.at("snapshot_format")
        raise SolverError(f"{place}: snapshot_format HDF5 cannot be written yet, BINARYPROTO can")
    if param.snapshot or param.snapshot_after_train:
        check_writable(param.snapshot_prefix)
    return param


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


def make_train_net(
    file: SolverFile,
    make: Callable[[Graph], Net],
    weights: Sequence[str],
    level: int,
    stages: Sequence[str],
) -> tuple[Net, list[CopyReport]]:
    """The net to train, and what each file of weights did to it."""
    log.info(report.train_source(file.param))
    net = make(train_graph(file, level, stages))
    return net, _finetune(net, weights)


def make_test_nets(
    file: SolverFile, make: Callable[[Graph], Net], weights: Sequence[str], train_net: Net
) -> list[Net]:
    """The nets to test, which share the blobs of the train net.

    The command line's level and stages are the train net's alone, as in Caffe.
    """
    nets = []
    for index, graph in enumerate(test_graphs(file)):
        log.info(report.test_source(file.param, index))
        net = make(graph)
        net.share_with(train_net)
        _finetune(net, weights)
        nets.append(net)
    return nets


class Watched(NamedTuple):
    """The output of a test that the plateau policy watches: of which net, and its sign there."""

    net: int
    sign: int


def watched(file: SolverFile, test_nets: Sequence[Net]) -> Watched | None:
    """What plateau_output names, in the first test net that has it; None where it is not set.

    Raises SolverError where no test net has it.
    """
    name = file.param.plateau_output
    for index, net in enumerate(test_nets):
        if name in net.outputs:
            return Watched(index, sign(net.graph, name))
    if not file.param.HasField("plateau_output"):
        return None
    known = sorted({output for net in test_nets for output in net.outputs})
    raise SolverError(
        f"{file.position.at('plateau_output')}: plateau_output is {name!r}, no output of a test net; "
        f"they are {', '.join(known) or 'none'}{near(name, known)}"
    )


def _finetune(net: Net, weights: Sequence[str]) -> list[CopyReport]:
    reports = []
    for name in weights:
        log.info("Finetuning from %s", name)
        reports.append(copy_weights(net, name))
    return reports
