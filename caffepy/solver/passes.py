"""What a net computes over the batches of an iteration, and over those of a test: means."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from caffepy.net.debug import debugging
from caffepy.net.net import Net


class Means(NamedTuple):
    """Over the batches of a test: the mean objective, and the means of each output's numbers."""

    loss: float
    outputs: Mapping[str, Tensor]


def forward_backward(net: Net, batches: int, *, debug: bool = False) -> float:
    """The mean objective of the next batches, whose gradients are added to what is there.

    debug: log what each layer gives, in both directions.
    """
    losses = []
    for _ in range(batches):
        with debugging(net, on=debug, backward=True):
            losses.append(net.forward_backward())
    return float(sum(losses[1:], losses[0]) / batches)


def run_test(
    net: Net, batches: int, may_go_on: Callable[[], bool], *, debug: bool = False
) -> Means | None:
    """The means of the next batches; None where it was told to stop, no outputs without batches.

    may_go_on: asked before each batch. debug: log what each layer gives.
    """
    loss = torch.zeros((), device=net.device)
    sums = dict.fromkeys(net.outputs if batches else (), loss)
    for _ in range(batches):
        if not may_go_on():
            return None
        with debugging(net, on=debug):
            loss = loss + net.evaluate()
        sums = {name: total + net.tops[name] for name, total in sums.items()}
    return Means(float(loss / batches), {name: total / batches for name, total in sums.items()})
