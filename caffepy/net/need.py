"""Which layers a backward pass goes through."""

from typing import NamedTuple

from caffepy.errors import LayerError
from caffepy.graph.kinds import KINDS
from caffepy.layers.layer import SourceLayer
from caffepy.net.net import Net


class Need(NamedTuple):
    """Whether backward runs a layer, and for which of its bottoms it computes a gradient."""

    layer: bool
    bottoms: tuple[bool, ...]


def needs_of(net: Net) -> list[Need]:
    """By layer in file order.

    A layer is run backwards if it lies between something that learns and a loss; a bottom gets a
    gradient if something above it learns. With `force_backward` every layer that computes is run,
    and every bottom gets one.
    Source: Net::Init in caffe/src/caffe/net.cpp
    """
    if net.graph.force_backward:
        return [
            Need(not isinstance(layer, SourceLayer), (True,) * len(step.bottoms))
            for layer, step in zip(net.layers, net.steps, strict=True)
        ]
    learns = _below_something_learned(net)
    leads_to_loss = set(net.loss_weights)
    needs = []
    for step, need in zip(reversed(net.steps), reversed(learns), strict=True):
        run = need.layer and not leads_to_loss.isdisjoint(step.tops)
        leads_to_loss.difference_update(set(step.tops) - set(net.loss_weights))
        if run:
            leads_to_loss.update(
                name for name, wanted in zip(step.bottoms, need.bottoms, strict=True) if wanted
            )
        needs.append(Need(run, tuple(run and wanted for wanted in need.bottoms)))
    return needs[::-1]


def require_gradients(net: Net) -> None:
    """Raise LayerError where backward would ask a layer for a gradient that it does not have.

    It would be left out, and what lies above would not learn. With `force_backward` nobody knows
    whether it was wanted.
    """
    if net.graph.force_backward:
        return
    for node, (layer, step), need in zip(net.graph.nodes, net.plan(), needs_of(net), strict=True):
        for place in KINDS[node.param.type].blind:
            if not any(need.bottoms[place:][:1]):
                continue
            index = place % len(step.bottoms)
            reason = "where propagate_down is true"
            if not step.propagate_down:
                reason = "which comes from layers that learn: give propagate_down, false for it, or"
                reason += " those layers lr_mult: 0"
            text = f"cannot backpropagate to bottom {index}, {step.bottoms[index]!r}, {reason}"
            raise LayerError(f"{node.position.at('bottom', index)}: {layer.error(text)}")


def _below_something_learned(net: Net) -> list[Need]:
    """By layer: whether it learns or reads from one that does, and which bottoms want a gradient."""
    learned: set[str] = set()
    needs = []
    for index, step in enumerate(net.steps):
        reads = tuple(name in learned for name in step.bottoms)
        need = any(reads) or any(blob.requires_grad for blob in net.blobs.owners_of(index))
        (learned.update if need else learned.difference_update)(step.tops)
        needs.append(Need(need, step.propagate_down or reads))
    return needs
