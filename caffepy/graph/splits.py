"""Split layers: one top for each reader of a blob that several layers read."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from caffepy.graph.graph import Node
from caffepy.proto import LayerParameter

Slot = tuple[int, int]  # the index of a layer, and of a bottom or top of it


@dataclass
class Wiring:
    """How bottoms and tops hang together.

    sources: by bottom, the top it reads: the last one of its name above it; a bottom whose name no
    layer above makes is not there. uses: by top, how many bottoms read it, and one more where it
    has a loss weight of its own.
    """

    sources: dict[Slot, Slot] = field(default_factory=dict)
    uses: Counter[Slot] = field(default_factory=Counter)


def trace(nodes: Sequence[Node]) -> Wiring:
    """Follow every bottom to the top it reads."""
    wiring = Wiring()
    last: dict[str, Slot] = {}
    for layer, node in enumerate(nodes):
        for index, name in enumerate(node.param.bottom):
            if name in last:
                wiring.sources[layer, index] = last[name]
                wiring.uses[last[name]] += 1
        for index, name in enumerate(node.param.top):
            last[name] = (layer, index)
        for index, weight in enumerate(node.param.loss_weight):
            wiring.uses[layer, index] += weight != 0
    return wiring


def insert_splits(nodes: Sequence[Node]) -> list[Node]:
    """The layers, with a Split after each top that is used more than once.

    The Split of top 0, "ip1", of layer "fc" is named ip1_fc_0_split; its tops ip1_fc_0_split_0, _1,
    ... go to the readers in file order. A loss weight moves from the top to the Split's first.
    """
    wiring = trace(nodes)
    spare: dict[Slot, Iterator[str]] = {}
    result: list[Node] = []
    for layer, node in enumerate(nodes):
        param = LayerParameter()
        param.CopyFrom(node.param)
        for index in range(len(param.bottom)):
            source = wiring.sources[layer, index]
            if source in spare:
                param.bottom[index] = next(spare[source])
        result.append(Node(param, node.position))
        for index in range(len(param.top)):
            if wiring.uses[layer, index] < 2:
                continue
            split = _split(param, index, wiring.uses[layer, index])
            result.append(Node(split, node.position))
            spare[layer, index] = iter(split.top)
            if split.loss_weight:
                _clear_weight(param, index)
                next(spare[layer, index])
    return result


def _split(param: LayerParameter, index: int, uses: int) -> LayerParameter:
    """The Split layer of one top of a layer."""
    blob = param.top[index]
    name = f"{blob}_{param.name}_{index}_split"
    tops = [f"{name}_{use}" for use in range(uses)]
    split = LayerParameter(name=name, type="Split", bottom=[blob], top=tops, phase=param.phase)
    if param.loss_weight and param.loss_weight[index]:
        split.loss_weight.extend([param.loss_weight[index]] + [0] * (uses - 1))
    return split


def _clear_weight(param: LayerParameter, index: int) -> None:
    """Take back the loss weight of a top.

    A loss keeps its zeros, since it would weigh 1 if nothing were said.
    """
    param.loss_weight[index] = 0
    if not any(param.loss_weight) and not param.type.endswith("Loss"):
        param.ClearField("loss_weight")
