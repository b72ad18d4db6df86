"""What `debug_info` logs: how large the numbers of each layer are, forwards and backwards."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from caffepy.layers.layer import Layer, as_tuple
from caffepy.net.need import needs_of
from caffepy.net.net import Net
from caffepy.net.params import Learnable

log = logging.getLogger(__name__)


@contextmanager
def debugging(net: Net, *, on: bool, backward: bool = False) -> Iterator[None]:
    """Meanwhile, see what one pass through a net computes, and log it in Caffe's lines after.

    on: False does nothing. backward: whether the pass goes back as well. The numbers are means of
    absolute values, of a top after its layer, of a diff as this layer gives it.
    Source: Net::ForwardDebugInfo and Net::BackwardDebugInfo in caffe/src/caffe/net.cpp
    """
    if not on:
        yield
        return
    pass_ = _Pass(net)
    handles = pass_.attach()
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
    for line in pass_.forward_lines():
        log.info(line)
    for line in pass_.backward_lines() if backward else ():
        log.info(line)


@contextmanager
def debugging_update(learnable: Sequence[Learnable], *, on: bool) -> Iterator[None]:
    """Meanwhile, the blobs that learn are updated: log how large they were, and what they lose."""
    before = [entry.param.detach().clone() for entry in learnable] if on else []
    yield
    for entry, old in zip(learnable, before, strict=False):
        place = f"Layer {entry.layer}, param {entry.spec.name or entry.index}"
        log.info(
            f"    [Update] {place} data: {size(old):g}; diff: {size(old - entry.param.detach()):g}"
        )


def size(values: Tensor | None) -> float:
    """The mean of the absolute values; 0 where there are none."""
    if values is None or not values.numel():
        return 0.0
    return float(values.detach().abs().mean())


class _Pass:
    """What is seen of one pass: the sizes of tops, and of the diffs of bottoms, by layer."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.tops: list[dict[str, float]] = [{} for _ in net.steps]
        self.diffs: list[dict[int, float]] = [{} for _ in net.steps]

    def attach(self) -> list[RemovableHandle]:
        """Watch every layer that computes."""
        handles = []
        for index, layer in enumerate(self.net.layers):
            handles.append(layer.register_forward_pre_hook(partial(self._before, index)))
            handles.append(layer.register_forward_hook(partial(self._after, index)))
        return handles

    def _before(
        self, index: int, _layer: nn.Module, bottoms: tuple[Tensor, ...]
    ) -> tuple[Tensor, ...]:
        """Note what comes from source layers, which only read; and ask for the diffs of bottoms.

        Views, so that the diff is what this layer alone gives.
        """
        for name, bottom in zip(self.net.steps[index].bottoms, bottoms, strict=True):
            maker = max(i for i, step in enumerate(self.net.steps[:index]) if name in step.tops)
            if name not in self.tops[maker]:
                self.tops[maker][name] = size(bottom)
        views = tuple(bottom.view_as(bottom) for bottom in bottoms)
        for number, view in enumerate(views):
            if view.requires_grad:
                hook = partial(self._came_back, index, number)
                view.register_hook(hook)  # type: ignore[no-untyped-call]  # torch's, unannotated
        return views

    def _after(
        self, index: int, _layer: nn.Module, _bottoms: object, tops: Tensor | tuple[Tensor, ...]
    ) -> None:
        for name, top in zip(self.net.steps[index].tops, as_tuple(tops), strict=True):
            self.tops[index][name] = size(top)

    def _came_back(self, index: int, number: int, diff: Tensor) -> None:
        self.diffs[index][number] = size(diff)

    def forward_lines(self) -> Iterator[str]:
        """By layer: its tops, then its blobs."""
        for index, name in enumerate(self.net.layer_names):
            place = f"    [Forward] Layer {name}"
            for top in self.net.steps[index].tops:
                if top in self.tops[index]:  # else a batch's blob that no layer reads
                    yield f"{place}, top blob {top} data: {self.tops[index][top]:g}"
            specs = cast("Layer", self.net.layers[index]).param.param
            for number, blob in enumerate(self.net.blobs_of(index)):
                shown = (specs[number].name if number < len(specs) else "") or number
                yield f"{place}, param blob {shown} data: {size(blob):g}"

    def backward_lines(self) -> Iterator[str]:
        """By layer that is run backwards, from the last: its bottoms, then its blobs; and the sums."""
        needs = list(enumerate(needs_of(self.net)))
        for index, need in reversed(needs):
            if not need.layer:
                continue
            place = f"    [Backward] Layer {self.net.layer_names[index]}"
            for number, name in enumerate(self.net.steps[index].bottoms):
                if need.bottoms[number]:
                    value = self.diffs[index].get(number, 0.0)
                    yield f"{place}, bottom blob {name} diff: {value:g}"
            for number, blob in enumerate(self.net.blobs.owners_of(index)):
                if blob.requires_grad:
                    yield f"{place}, param blob {number} diff: {size(blob.grad):g}"
        yield self._sums()

    def _sums(self) -> str:
        params = [entry.param for entry in self.net.learnable]
        data = [param.detach() for param in params]
        diffs = [param.grad for param in params if param.grad is not None]
        (data_1, diff_1), (data_2, diff_2) = (
            (_norm(data, order), _norm(diffs, order)) for order in (1, 2)
        )
        return (
            f"    [Backward] All net params (data, diff): L1 norm = ({data_1:g}, {diff_1:g}); "
            f"L2 norm = ({data_2:g}, {diff_2:g})"
        )


def _norm(tensors: Sequence[Tensor], order: int) -> float:
    if not tensors:
        return 0.0
    norms = torch.stack([torch.linalg.vector_norm(tensor, order) for tensor in tensors])
    return float(torch.linalg.vector_norm(norms, order))
