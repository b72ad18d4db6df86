"""From a net's message or file to its graph, in named passes."""

from collections.abc import Sequence
from pathlib import Path

from caffepy.errors import NetError
from caffepy.graph.check import check_nodes, check_rules
from caffepy.graph.graph import AUTOMATIC, Graph, Node
from caffepy.graph.kinds import KINDS
from caffepy.graph.pool_norm import reorder
from caffepy.graph.problem import Problem, refuse_errors
from caffepy.graph.rules import filter_nodes
from caffepy.graph.splits import insert_splits
from caffepy.graph.ten_crop import ask_for_ten_crops, average_ten_crops
from caffepy.graph.upgrade import inputs
from caffepy.graph.upgrade.entry import Entry
from caffepy.graph.upgrade.passes import upgrade_net
from caffepy.proto import NetParameter, NetState, Phase, PoolNormOrder
from caffepy.proto.files import read_text
from caffepy.proto.position import Position


def load_graph(
    path: str | Path,
    state: NetState,
    pool_norm_order: PoolNormOrder | None = None,
    ten_crop: bool = False,
) -> Graph:
    """The graph of a net's prototxt in a state.

    What `state` sets takes the place of the file's own `state`; stages add up. pool_norm_order,
    where given, takes the place of the file's own. ten_crop: see `make_graph`.

    Raises:
        ParseError: the file is missing, or is no net.
        NetError: its layers do not fit together; a line for each thing wrong.
    """
    net, position = read_text(path, NetParameter)
    merged = NetState()
    merged.CopyFrom(net.state)
    merged.MergeFrom(state)
    return make_graph(net, position, merged, pool_norm_order, ten_crop)


def make_graph(
    net: NetParameter,
    position: Position,
    state: NetState,
    pool_norm_order: PoolNormOrder | None = None,
    ten_crop: bool = False,
) -> Graph:
    """The graph of a net in exactly this state, whatever the net's own `state` is.

    A net in an older format is upgraded, be it of a file or inside a solver; each layer keeps its
    place in the file. The message itself is not changed.
    pool_norm_order, where given, takes the place of the net's own. ten_crop: whether to take ten
    crops of each image of a test, also where the net does not say so.

    Raises NetError, with a line for each thing wrong.
    """
    given = Entry(net, position)
    upgraded, lost = upgrade_net(given)
    net, position = upgraded.message, upgraded.position
    complete = NetState()
    complete.CopyFrom(state)
    complete.phase = state.phase
    layers = [Node(param, position.at("layer", i)) for i, param in enumerate(net.layer)]
    kept, left_out = filter_nodes(layers, complete)
    _name_automatic_tops(kept)
    order = net.pool_norm_order if pool_norm_order is None else pool_norm_order
    ordered, obstacles = reorder(kept, order)
    problems = [*inputs.check(given), *lost, *check_rules(layers), *obstacles]
    problems += ask_for_ten_crops(ordered) if ten_crop else ()
    problems += check_nodes(ordered, left_out)
    averaged, obstacles = average_ten_crops(ordered)
    problems += obstacles
    if not kept:
        problems.append(Problem("error", str(position), _no_layers(net, complete)))
    return Graph(
        name=net.name,
        position=position,
        state=complete,
        force_backward=net.force_backward,
        debug_info=net.debug_info,
        problems=refuse_errors(problems, NetError),
        nodes=tuple(insert_splits(averaged)),
    )


def _name_automatic_tops(nodes: Sequence[Node]) -> None:
    """Give a top to each loss that has none, with a name of its own."""
    count = 0
    for node in nodes:
        kind = KINDS.get(node.param.type)
        if kind is not None and kind.auto_top and not node.param.top:
            node.param.top.append(f"{AUTOMATIC}{count}" if count else AUTOMATIC)
            count += 1


def _no_layers(net: NetParameter, state: NetState) -> str:
    """Why a net has no layers."""
    if not net.layer:
        return "the net has no layers"
    stages = ", ".join(map(repr, state.stage)) if state.stage else "none"
    return (
        f"the net has no layers in phase {Phase.Name(state.phase)}, level {state.level}, "
        f"stages {stages}: the include and exclude rules leave all {len(net.layer)} out"
    )
