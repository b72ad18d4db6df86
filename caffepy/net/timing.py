"""How long each layer of a net takes, forward and backward."""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from caffepy.layers.layer import Layer, SourceLayer
from caffepy.net.need import Need, needs_of
from caffepy.net.net import Net, Step, channels_last, run_layer

T = TypeVar("T")


class Tape(NamedTuple):
    """What the forward of one layer leaves for its backward.

    bottoms: by blob name, those that want a gradient, cut off from the layers that made them.
    """

    bottoms: dict[str, Tensor]
    tops: tuple[Tensor, ...]


class Stopwatch:
    """Runs a net layer by layer and tells the seconds that each layer took, in file order.

    Every layer has a graph of its own, to which the gradients of its tops are handed, so that its
    backward can be told from the others'. A layer that has none to do takes 0 seconds. Gradients of
    parameters are computed and dropped.

    loss: the objective of the last `forward`.
    """

    def __init__(self, net: Net) -> None:
        self.loss = torch.zeros(())
        self._net = net
        self._needs = needs_of(net)
        self._tapes: list[Tape] = []
        self._diffs: dict[str, Tensor] = {}

    def forward(self) -> list[float]:
        """Read a batch, zeros for Input layers, and run every layer on it."""
        blobs: dict[str, Tensor] = {}
        seconds = []
        self._tapes = []
        for (layer, step), need in zip(self._net.plan(), self._needs, strict=True):
            bottoms = cut_off([blobs.pop(name) for name in step.bottoms], need)
            with torch.set_grad_enabled(need.layer):
                tops, took = self._clock(partial(tops_of, layer, bottoms))
            wanting = zip(step.bottoms, bottoms, strict=True)
            self._tapes.append(Tape({name: x for name, x in wanting if x.requires_grad}, tops))
            blobs.update(zip(step.tops, tops, strict=True))
            seconds.append(took)
        self.loss = self._net.objective(blobs).detach()
        weights = self._net.loss_weights.items()
        self._diffs = {name: torch.full_like(blobs[name], weight) for name, weight in weights}
        return seconds

    def backward(self) -> list[float]:
        """Hand the gradients of the last `forward` down, from the last layer to the first; once."""
        seconds = [self._backward(step) for step in reversed(self._net.steps)]
        return seconds[::-1]

    def _backward(self, step: Step) -> float:
        """One layer's, the last that was not asked for."""
        tape = self._tapes.pop()
        diffs = [self._diffs.pop(name, None) for name in step.tops]
        pairs = [
            (top, diff)
            for top, diff in zip(tape.tops, diffs, strict=True)
            if diff is not None and top.requires_grad
        ]
        if not pairs:
            return 0.0
        owners = self._net.blobs.owners_of(len(self._tapes))
        leaves = [*tape.bottoms.values(), *(owner for owner in owners if owner.requires_grad)]
        tops, given = zip(*pairs, strict=True)
        found, took = self._clock(
            partial(torch.autograd.grad, tops, leaves, given, allow_unused=True)
        )
        for name, diff in zip(tape.bottoms, found, strict=False):
            if diff is not None:
                self._diffs[name] = diff
        return took

    def _clock(self, work: Callable[[], T]) -> tuple[T, float]:
        """The result of some work, and the seconds until the device had done it."""
        self._wait()
        start = time.perf_counter()
        result = work()
        self._wait()
        return result, time.perf_counter() - start

    def _wait(self) -> None:
        if self._net.device.type == "cuda":
            torch.cuda.synchronize(self._net.device)


def cut_off(bottoms: list[Tensor], need: Need) -> tuple[Tensor, ...]:
    """A layer's bottoms as leaves of a graph of its own."""
    pairs = zip(bottoms, need.bottoms, strict=True)
    return tuple(bottom.detach().requires_grad_(wanted) for bottom, wanted in pairs)


def tops_of(layer: Layer, bottoms: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What a layer makes, as `Net.forward` would have it: from its bottoms, or of its next batch."""
    if isinstance(layer, SourceLayer):
        return tuple(channels_last(top) for top in layer.read())
    return run_layer(layer, bottoms)
