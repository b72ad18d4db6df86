"""What can be said against a net before anything is built: types, counts and wiring."""

import sys
from collections.abc import Iterator, Sequence

from caffepy.errors import near
from caffepy.graph.fields import check_fields, check_fillers
from caffepy.graph.graph import Node
from caffepy.graph.kinds import KINDS
from caffepy.graph.problem import Problem as Problem
from caffepy.graph.splits import Wiring, trace
from caffepy.proto.forks import type_hint


def check_nodes(nodes: Sequence[Node], left_out: Sequence[Node]) -> list[Problem]:
    """All that is wrong with the layers of a net, in file order; left_out: by its rules."""
    wiring = trace(nodes)
    makers: dict[str, Node] = {}
    problems: list[Problem] = []
    for layer, node in enumerate(nodes):
        problems += _check_type(node)
        problems += _check_bottoms(nodes, layer, wiring, left_out)
        problems += _check_tops(node, layer, wiring, makers)
        problems += _check_lists(node)
    return [*problems, *_check_names(nodes), *check_fillers(nodes)]


def check_rules(nodes: Sequence[Node]) -> list[Problem]:
    """Layers with include as well as exclude rules."""
    text = "has include and exclude rules; a layer may have only one of the two kinds"
    return [
        node.error(text, "exclude") for node in nodes if node.param.include and node.param.exclude
    ]


def _check_type(node: Node) -> Iterator[Problem]:
    """The type, how many bottoms and tops it takes, and the messages it reads."""
    param = node.param
    if param.type not in KINDS:
        known = ", ".join(sorted(KINDS))
        hint = type_hint(param.type) or near(param.type, KINDS)
        text = f"Unknown layer type: {param.type}{hint} (known types: {known})"
        yield node.error(text, "type")
        return
    kind = KINDS[param.type]
    bottoms, tops = len(param.bottom), len(param.top)
    if bottoms not in kind.bottoms:
        yield node.error(f"has {bottoms} bottoms, {param.type} takes {_span(kind.bottoms)}")
    if kind.tops is None and tops != bottoms:
        yield node.error(f"has {tops} tops for {bottoms} bottoms, {param.type} takes as many")
    if kind.tops is not None and tops not in kind.tops:
        yield node.error(f"has {tops} tops, {param.type} takes {_span(kind.tops)}")
    if not kind.in_place:
        for index, blob in enumerate(param.top):
            if blob in param.bottom:
                text = f"{param.type} Layer does not allow in-place computation"
                yield node.error(f"{text}: {blob!r} is bottom and top", "top", index)
    yield from check_fields(node)


def _span(counts: range) -> str:
    """A range of counts in words."""
    if len(counts) == 1:
        return str(counts.start)
    if len(counts) == 2:
        return f"{counts[0]} or {counts[1]}"
    if counts.stop < sys.maxsize:
        return f"{counts[0]} to {counts[-1]}"
    return f"{counts.start} or more"


def _check_bottoms(
    nodes: Sequence[Node], layer: int, wiring: Wiring, left_out: Sequence[Node]
) -> Iterator[Problem]:
    """Bottoms that no layer above makes."""
    node = nodes[layer]
    for index, blob in enumerate(node.param.bottom):
        if (layer, index) not in wiring.sources:
            text = f"Unknown bottom blob {blob!r} (layer {node.param.name!r}, bottom index {index})"
            hint = _where_made(blob, nodes[:layer], nodes[layer + 1 :], left_out)
            yield node.error(text + hint, "bottom", index)


def _where_made(
    blob: str, above: Sequence[Node], below: Sequence[Node], left_out: Sequence[Node]
) -> str:
    """What may have been meant by a blob that no layer above makes."""
    for node in below:
        if blob in node.param.top:
            return f"; layer {node.param.name!r} makes it only further down, at {node.position}"
    for node in left_out:
        if blob in node.param.top:
            return (
                f"; layer {node.param.name!r} at {node.position} would make it, but is left out "
                "of this net by its include and exclude rules"
            )
    return near(blob, {top for node in above for top in node.param.top})


def _check_tops(
    node: Node, layer: int, wiring: Wiring, makers: dict[str, Node]
) -> Iterator[Problem]:
    """Tops whose name another top has, but for those made in place."""
    bottoms = node.param.bottom
    for index, blob in enumerate(node.param.top):
        in_place = index < len(bottoms) and bottoms[index] == blob
        uses = wiring.uses[wiring.sources.get((layer, index), (-1, -1))] if in_place else 0
        if blob in makers and uses != 1:
            maker = makers[blob]
            text = (
                f"Top blob {blob!r} produced by multiple sources. "
                f"Layer {maker.param.name!r} at {maker.position} makes it too"
            )
            if in_place:
                text += ", and its value from there has another use: it cannot be changed in place"
            yield node.error(text, "top", index)
        makers[blob] = node


def _check_lists(node: Node) -> Iterator[Problem]:
    """Lists with one value a top or a bottom."""
    param = node.param
    if len(param.loss_weight) not in (0, len(param.top)):
        text = f"has {len(param.loss_weight)} loss_weights for {len(param.top)} tops"
        yield node.error(f"{text}: give one a top, or none", "loss_weight")
    if len(param.propagate_down) not in (0, len(param.bottom)):
        text = f"has {len(param.propagate_down)} propagate_downs for {len(param.bottom)} bottoms"
        yield node.error(f"{text}: give one a bottom, or none", "propagate_down")


def _check_names(nodes: Sequence[Node]) -> Iterator[Problem]:
    """Names that several layers have."""
    first: dict[str, Node] = {}
    for node in nodes:
        other = first.setdefault(node.param.name, node)
        if other is not node:
            text = f"the layer at {other.position} has this name too; weights are found by name"
            yield node.warning(text, "name")
