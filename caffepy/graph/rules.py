"""Which layers a net has in a given state: include and exclude rules."""

from collections.abc import Iterable

from caffepy.graph.graph import Node
from caffepy.proto import LayerParameter, NetState, NetStateRule


def meets(state: NetState, rule: NetStateRule) -> bool:
    """Whether a state is what a rule asks for, in all that the rule mentions.

    Phase equal, level within min_level and max_level, each `stage` there, no `not_stage` there.
    """
    stages = set(state.stage)
    return (
        (not rule.HasField("phase") or rule.phase == state.phase)
        and (not rule.HasField("min_level") or rule.min_level <= state.level)
        and (not rule.HasField("max_level") or state.level <= rule.max_level)
        and stages.issuperset(rule.stage)
        and stages.isdisjoint(rule.not_stage)
    )


def included(param: LayerParameter, state: NetState) -> bool:
    """Whether a layer is part of the net in this state: one include rule met, no exclude rule."""
    if any(meets(state, rule) for rule in param.exclude):
        return False
    return not param.include or any(meets(state, rule) for rule in param.include)


def filter_nodes(nodes: Iterable[Node], state: NetState) -> tuple[list[Node], list[Node]]:
    """The layers that are part of the net in this state, and those left out.

    A layer kept without a phase of its own has the state's.
    """
    kept: list[Node] = []
    left_out: list[Node] = []
    for node in nodes:
        if not included(node.param, state):
            left_out.append(node)
            continue
        param = LayerParameter()
        param.CopyFrom(node.param)
        if not param.HasField("phase"):
            param.phase = state.phase
        kept.append(Node(param, node.position))
    return kept, left_out
