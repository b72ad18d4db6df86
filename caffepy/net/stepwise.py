"""A net that runs one layer at a time over blobs that stay, as pycaffe's does."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import torch
from torch import Tensor, nn

from caffepy.blob import Blob, ParameterBlob
from caffepy.graph.graph import Graph
from caffepy.layers.layer import Layer, SourceLayer
from caffepy.net.build import assemble
from caffepy.net.need import Need, needs_of
from caffepy.net.net import Net, Step, run_layer
from caffepy.net.origin import records_named


@dataclass(frozen=True)
class Tape:
    """One forward pass of a layer, kept so that backward may go over it, more than once."""

    bottoms: tuple[Tensor, ...]
    tops: tuple[Tensor, ...]


class StepwiseNet(Net):
    """A net whose layers can be run one by one, forwards and backwards, over lasting blobs.

    `run` and `run_back` go from layer to layer; `forward` runs the whole graph at once, without
    touching the blobs.

    storage: the blobs by name, in the order in which layers first make them. Gradients of
    parameters add up, those of blobs are overwritten; the diff of a loss is its loss weight until
    something else is written there. parameter_blobs: by layer, its parameters in Caffe's order.
    """

    def __init__(self, graph: Graph, device: torch.device) -> None:
        super().__init__(graph, device)
        self._tapes: dict[int, Tape] = {}

    @cached_property
    def storage(self) -> dict[str, Blob]:
        """The blobs by name, in the order in which layers first make them."""
        names = dict.fromkeys(name for step in self.steps for name in step.tops)
        blobs = {
            name: Blob(self.shapes[name], self.device, self.loss_weights.get(name, 0.0))
            for name in names
        }
        for name, value in self._constants.items():
            blobs[name].values.assign(value)
        return blobs

    @cached_property
    def parameter_blobs(self) -> list[list[ParameterBlob]]:
        """By layer, its parameters in Caffe's order."""
        return [self.blobs.parameters_of(index) for index in range(len(self.layers))]

    def run(self, start: int = 0, end: int | None = None) -> float:
        """Run the layers from `start` to `end`, both included; returns their part of the objective.

        Source layers read their next batch, but tops that are constant, such as those of Input
        layers, stay as they are.
        """
        self._flush()
        loss = 0.0
        indices = range(start, len(self.layers) if end is None else end + 1)
        for index in indices:
            self._tapes.pop(index, None)  # so that its memory can be used again
        for index in indices:
            tops = self._forward(index)
            for name, top in zip(self.steps[index].tops, tops, strict=True):
                if name in self.loss_weights:
                    loss += self.loss_weights[name] * float(top.detach().sum())
        return loss

    def run_back(self, start: int | None = None, end: int = 0) -> None:
        """Run the layers from `start` down to `end`, both included, backwards.

        Each takes the diffs of its tops, overwrites those of its bottoms and adds to those of its
        parameters. Layers that lead from nothing learned to a loss are left out, as in Caffe.
        """
        self._flush()
        first = len(self.layers) - 1 if start is None else start
        for index in range(first, end - 1, -1):
            if self._needs[index].layer:
                self._backward(index)

    def reshape(self) -> None:
        """Let every blob follow the shapes of the Input layers' tops, without computing."""
        for layer, step in self.plan():
            if isinstance(layer, SourceLayer):
                continue
            bottoms = [self.storage[name].shape for name in step.bottoms]
            for name, shape in zip(step.tops, layer.top_shapes(*bottoms), strict=True):
                self.storage[name].reshape(*shape)

    def zero_diffs(self) -> None:
        """Set the gradients of the parameters to zero, in the memory where they are."""
        for entry in self.learnable:
            if entry.param.grad is None:
                entry.param.grad = torch.zeros_like(entry.param)
            else:
                entry.param.grad.zero_()

    def forward_backward(self) -> Tensor:
        """Run all layers over the next batch, forwards and backwards; returns its objective."""
        loss = self.evaluate()
        self.run_back()
        return loss

    def evaluate(self) -> Tensor:
        """Run all layers over the next batch; returns its objective."""
        with records_named(self.layers):
            loss = self.run()
        self.tops = {name: self.storage[name].values.tensor().detach() for name in self.results}
        return torch.tensor(loss)

    def share_with(self, other: Net) -> None:
        """Take the other net's blobs, by layer name."""
        super().share_with(other)
        self._tapes.clear()

    @cached_property
    def _needs(self) -> list[Need]:
        return needs_of(self)

    @cached_property
    def _constants(self) -> dict[str, Tensor]:
        """By blob, what source layers put there once."""
        return {
            name: value
            for layer, step in self.plan()
            if isinstance(layer, SourceLayer)
            for name, value in zip(step.tops, layer.constants(), strict=True)
            if value is not None
        }

    def _flush(self) -> None:
        for blobs in self.parameter_blobs:
            for blob in blobs:
                blob.flush()

    def _forward(self, index: int) -> tuple[Tensor, ...]:
        layer, step = cast("Layer", self.layers[index]), self.steps[index]
        if isinstance(layer, SourceLayer):
            return self._read(layer, step)
        tape = self._tapes[index] = self._record(index)
        taken = {bottom.untyped_storage().data_ptr() for bottom in tape.bottoms}
        for name, top in zip(step.tops, tape.tops, strict=True):
            memory = top.untyped_storage().data_ptr()
            self.storage[name].values.assign(top.detach(), owned=memory not in taken)
            taken.add(memory)
        return tape.tops

    def _read(self, layer: SourceLayer, step: Step) -> tuple[Tensor, ...]:
        """Put the next batch of a layer into those of its blobs that are not constant."""
        if not self._constants.keys() >= set(step.tops):
            for name, top in zip(step.tops, layer.read(), strict=True):
                if name not in self._constants:
                    self.storage[name].values.assign(top)
        return tuple(self.storage[name].values.tensor() for name in step.tops)

    def _record(self, index: int) -> Tape:
        """Run a layer on what is in its bottoms now, and keep how its tops came about."""
        layer, step, need = cast("Layer", self.layers[index]), self.steps[index], self._needs[index]
        bottoms = [self._bottom(name, step) for name in step.bottoms]
        for bottom, needed in zip(bottoms, need.bottoms, strict=True):
            bottom.requires_grad_(needed)
        with torch.set_grad_enabled(need.layer):
            return Tape(tuple(bottoms), run_layer(layer, tuple(bottoms)))

    def _bottom(self, name: str, step: Step) -> Tensor:
        """A blob's numbers for a layer to read.

        `data` gives the memory a second life, in which later writes to the blob do not count as
        changes: backward computes with what is in the blobs by then, as Caffe's does.
        """
        values = self.storage[name].values.tensor().data
        if values.dim() == 4:
            values = values.to(memory_format=torch.channels_last)
        return values.clone() if name in step.tops else values

    def _backward(self, index: int) -> None:
        step, need = self.steps[index], self._needs[index]
        if not step.tops:
            return  # no gradient comes from here, and to run it again would write twice
        tape = self._tape(index)
        owners = dict.fromkeys(self.blobs.owners_of(index))
        parameters = [blob for blob in owners if blob.requires_grad]
        names = [name for name, needed in zip(step.bottoms, need.bottoms, strict=True) if needed]
        wanted = [bottom for bottom in tape.bottoms if bottom.requires_grad] + parameters
        differentiable = [
            (top, self._diff(name, top))
            for name, top in zip(step.tops, tape.tops, strict=True)
            if top.requires_grad
        ]
        if not (wanted and differentiable):
            return
        tops, diffs = zip(*differentiable, strict=True)
        gradients = torch.autograd.grad(tops, wanted, diffs, retain_graph=True, allow_unused=True)
        for name, gradient in zip(names, gradients, strict=False):
            if gradient is not None:
                self.storage[name].gradient.assign(gradient, owned=False)
        add_to(parameters, gradients[len(names) :])

    def _tape(self, index: int) -> Tape:
        """The last forward pass of a layer, or, if blobs have other shapes since, a new one."""
        step, tape = self.steps[index], self._tapes.get(index)
        shapes = [self.storage[name].shape for name in (*step.bottoms, *step.tops)]
        if tape is not None and shapes == [tuple(t.shape) for t in (*tape.bottoms, *tape.tops)]:
            return tape
        with unchanged(self.layers[index]):
            return self._record(index)

    def _diff(self, name: str, top: Tensor) -> Tensor:
        gradient = self.storage[name].gradient
        gradient.resize(tuple(top.shape))
        return gradient.tensor()


def build_stepwise(
    graph: Graph, *, device: str | torch.device = "cpu", seed: int = 0
) -> StepwiseNet:
    """The same as `caffepy.net.build.build_net`, to be run layer by layer."""
    return assemble(StepwiseNet(graph, torch.device(device)), seed)


def add_to(parameters: Iterable[nn.Parameter], gradients: Iterable[Tensor | None]) -> None:
    """Add to the gradients of parameters, in the memory where they are."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if gradient is None:
            continue
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        parameter.grad.add_(gradient)


@contextmanager
def unchanged(layer: nn.Module) -> Iterator[None]:
    """Put back what a forward pass changes besides its tops: statistics, state and generators."""
    kept: Sequence[Tensor] = [
        *(blob for blob in layer.parameters() if not blob.requires_grad),
        *layer.buffers(),
    ]
    before = [tensor.clone() for tensor in kept]
    places = [(module, dict(module.named_buffers(recurse=False))) for module in layer.modules()]
    with torch.random.fork_rng():
        yield
    for module, buffers in places:
        for name, buffer in buffers.items():
            setattr(module, name, buffer)
    for tensor, value in zip(kept, before, strict=True):
        tensor.data.copy_(value)  # autograd may hold the tensor: to it, this is no change
