"""The order of pooling and normalisation: AlexNet's and CaffeNet's, one made of the other."""

from collections.abc import Iterator, Sequence

from caffepy.errors import NetError
from caffepy.graph.graph import Node
from caffepy.graph.problem import Problem, refuse_errors
from caffepy.graph.splits import Wiring, trace
from caffepy.proto import LayerParameter, NetParameter, PoolNormOrder
from caffepy.proto.position import Position

# For each order, the types of two neighbours that have to change places, as they stand.
REVERSED = {
    PoolNormOrder.AS_WRITTEN: (),
    PoolNormOrder.NORM_FIRST: ("Pooling", "LRN"),
    PoolNormOrder.POOL_FIRST: ("LRN", "Pooling"),
}


def resolve(net: NetParameter) -> NetParameter:
    """The same net in plain layers, which any Caffe reads: in its order, without the field for it.

    Raises NetError, naming the layers, where two cannot change places.
    """
    place = Position(f"net {net.name!r}")
    nodes, problems = reorder([Node(param, place) for param in net.layer], net.pool_norm_order)
    refuse_errors(problems, NetError)
    plain = NetParameter()
    plain.CopyFrom(net)
    plain.ClearField("pool_norm_order")
    plain.ClearField("layer")
    plain.layer.extend(node.param for node in nodes)
    return plain


def reorder(nodes: Sequence[Node], order: PoolNormOrder) -> tuple[list[Node], list[Problem]]:
    """The layers with every LRN next to a Pooling on the side of it that `order` says.

    Neighbours are a layer and the one that reads its first top; they change places until none
    stand the wrong way round, and keep their names, settings and so their weights. Blobs stay named
    after the layer that makes them: pool1 -> norm1 -> readers of norm1 becomes norm1 -> pool1 ->
    readers of pool1. What worked in place does so still.

    Returns the layers as they were, and what is in the way, where two cannot change places.
    """
    current = list(nodes)
    while pairs := list(_neighbours(current, REVERSED[order])):
        wiring = trace(current)
        obstacles = [o for pair in pairs for o in _obstacles(current, *pair, wiring, order)]
        if obstacles:
            return list(nodes), obstacles
        current = _swapped(current, *pairs[0])
    return current, []


def _neighbours(nodes: Sequence[Node], types: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """The indices of two layers of these types, the second of which reads the first's first top."""
    for (second, bottom), (first, top) in trace(nodes).sources.items():
        found = (nodes[first].param.type, nodes[second].param.type)
        if found == types and bottom == top == 0 and _has_ends(nodes[first], nodes[second]):
            yield first, second


def _has_ends(first: Node, second: Node) -> bool:
    """Whether there is a blob at either end; check.py refuses layers without."""
    return bool(first.param.bottom and second.param.top)


def _obstacles(
    nodes: Sequence[Node], first: int, second: int, wiring: Wiring, order: PoolNormOrder
) -> Iterator[Problem]:
    """Other uses of blobs that are not the same once two layers have changed places.

    The blob between them is one; where the second works in place, so is what the first reads.
    """
    before, after = nodes[first].param, nodes[second].param
    changed = [(first, 0)]
    if after.bottom[0] == after.top[0] and (first, 0) in wiring.sources:
        changed.append(wiring.sources[first, 0])
    for slot in changed:
        if wiring.uses[slot] == 1:
            continue
        others = [
            repr(nodes[layer].param.name)
            for (layer, _), source in wiring.sources.items()
            if source == slot and layer not in (first, second)
        ]
        use = f"is read by {', '.join(others)} too" if others else "has a loss weight"
        yield nodes[second].error(
            f"cannot change places with layer {before.name!r}, as pool_norm_order "
            f"{PoolNormOrder.Name(order)} wants: blob {nodes[slot[0]].param.top[slot[1]]!r} {use}"
        )


def _swapped(nodes: Sequence[Node], first: int, second: int) -> list[Node]:
    """The layers after two neighbours have changed places, and what followed reads the new last."""
    result = [Node(LayerParameter(), node.position) for node in nodes]
    for copy, node in zip(result, nodes, strict=True):
        copy.param.CopyFrom(node.param)
    before, after = result[first].param, result[second].param
    start, middle, end = before.bottom[0], before.top[0], after.top[0]
    after.bottom[0] = start
    after.top[0] = start if middle == end else end
    before.bottom[0] = after.top[0]
    before.top[0] = end if start == middle else middle
    for node in result[second + 1 :]:
        for names in (node.param.bottom, node.param.top):
            names[:] = [before.top[0] if name == end else name for name in names]
    result[first], result[second] = result[second], result[first]
    return result
