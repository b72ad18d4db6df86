"""A solver's file, and the graphs of the nets it trains and tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from caffepy.errors import SolverError
from caffepy.graph.check_solver import check_solver, count_test_nets
from caffepy.graph.graph import Graph
from caffepy.graph.load import make_graph
from caffepy.graph.problem import Problem, refuse_errors
from caffepy.graph.upgrade.entry import Entry
from caffepy.graph.upgrade.passes import upgrade_type
from caffepy.proto import TEST, TRAIN, NetParameter, NetState, Phase, PoolNormOrder, SolverParameter
from caffepy.proto.files import read_text
from caffepy.proto.position import Position


@dataclass(frozen=True)
class SolverFile:
    """A solver's message, checked, and where it was read from.

    problems: warnings to show. pool_norm_order: takes the place of its nets' own, None leaves it.
    stepped: whether it is made for single steps, which a script counts.
    """

    param: SolverParameter
    position: Position
    path: Path
    problems: tuple[Problem, ...]
    pool_norm_order: PoolNormOrder | None
    stepped: bool


_Source = tuple[NetParameter, Position]


def read_solver(
    path: str | Path, pool_norm_order: PoolNormOrder | None = None, *, stepped: bool = False
) -> SolverFile:
    """Read and check a solver's prototxt.

    Paths in it count from the current folder, as in Caffe. `solver_type` is read as `type`.
    pool_norm_order, where given, takes the place of what the nets say. stepped: it is made for single
    steps, so that it need not say when training ends.

    Raises:
        ParseError: the file is missing, or is no solver.
        SolverError: its settings are wrong; a line for each thing wrong.
    """
    solver = upgrade_type(Entry(*read_text(path, SolverParameter)))
    param, position = solver.message, solver.position
    problems = check_solver(param, position, Path(path), stepped=stepped)
    warnings = refuse_errors(problems, SolverError)
    return SolverFile(param, position, Path(path), warnings, pool_norm_order, stepped)


def check_together(solver: SolverFile) -> None:
    """Raise SolverError for settings by which processes that train together would drift apart."""
    if solver.param.lr_policy == "plateau":
        raise SolverError(
            f"{solver.position.at('lr_policy')}: lr_policy 'plateau' goes by what one process sees "
            "of its own data, and several processes would lower their rates at different "
            "iterations; choose another policy, such as 'multistep'"
        )


def train_graph(solver: SolverFile, level: int = 0, stages: Sequence[str] = ()) -> Graph:
    """The graph of the net to train, in phase TRAIN unless the net or train_state says otherwise.

    level, unless 0, takes the place of train_state's; stages are added to it.

    Raises ParseError or NetError as `caffepy.graph.load.load_graph` does.
    """
    param, position = solver.param, solver.position
    if param.HasField("train_net"):
        source = read_text(param.train_net, NetParameter)
    elif param.HasField("train_net_param"):
        source = param.train_net_param, position.at("train_net_param")
    else:
        source = _generic_net(solver)
    return _graph(solver, source, TRAIN, _add(param.train_state, level, stages))


def test_graphs(solver: SolverFile) -> list[Graph]:
    """The graphs of the nets to test, in phase TEST unless a net or its test_state says otherwise.

    First those of test_net_param, then of test_net, then `net` or `net_param` for each test_iter
    that is left.

    Raises ParseError or NetError as `caffepy.graph.load.load_graph` does.
    """
    param, position = solver.param, solver.position
    sources: list[_Source] = [
        (net, position.at("test_net_param", index))
        for index, net in enumerate(param.test_net_param)
    ]
    sources += [read_text(name, NetParameter) for name in param.test_net]
    sources += [_generic_net(solver) for _ in range(count_test_nets(param) - len(sources))]
    states = list(param.test_state) if param.test_state else [NetState()] * len(sources)
    pairs = zip(sources, states, strict=True)
    return [_graph(solver, source, TEST, state) for source, state in pairs]


def _generic_net(solver: SolverFile) -> _Source:
    """The net both to train and to test."""
    if solver.param.HasField("net"):
        return read_text(solver.param.net, NetParameter)
    return solver.param.net_param, solver.position.at("net_param")


def _add(state: NetState, level: int, stages: Sequence[str]) -> NetState:
    """A solver's state for a net, with what the command line adds."""
    result = NetState()
    result.CopyFrom(state)
    result.stage.extend(stages)
    if level:
        result.level = level
    return result


def _graph(solver: SolverFile, source: _Source, phase: Phase, state: NetState) -> Graph:
    """The graph of a net: the phase gives way to the net's own state, and both to `state`."""
    net, position = source
    merged = NetState(phase=phase)
    merged.MergeFrom(net.state)
    merged.MergeFrom(state)
    return make_graph(net, position, merged, solver.pool_norm_order)
