"""BatchNorm layers with a ParamSpec for each statistic, which once had to say that none learns."""

from caffepy.graph.problem import Problem
from caffepy.graph.upgrade.entry import Entry
from caffepy.proto import LayerParameter, NetParameter

ATTEMPT = "Attempting to upgrade batch norm layers using deprecated params: %s"
DONE = "Successfully upgraded batch norm layers using deprecated params."


def needed(net: NetParameter) -> bool:
    """Whether a BatchNorm layer has exactly three ParamSpecs."""
    return any(map(_is_old, net.layer))


def upgrade(net: Entry[NetParameter]) -> tuple[Entry[NetParameter], list[Problem]]:
    """Let no statistic learn, whatever the specs say: lr_mult 0 and decay_mult 0."""
    new = NetParameter()
    new.CopyFrom(net.message)
    for layer in filter(_is_old, new.layer):
        for spec in layer.param:
            spec.lr_mult = spec.decay_mult = 0
    return Entry(new, net.position), []


def _is_old(layer: LayerParameter) -> bool:
    return layer.type == "BatchNorm" and len(layer.param) == 3
