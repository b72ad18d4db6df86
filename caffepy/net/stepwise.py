"""A net that runs one layer at a time over blobs that stay, as pycaffe's does."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from caffepy.blob import Blob, ParameterBlob
from caffepy.errors import CaffeError
from caffepy.graph.graph import Graph
from caffepy.layers.layer import SourceLayer
from caffepy.net.build import assemble
from caffepy.net.need import needs_of, require_gradients
from caffepy.net.net import Net
from caffepy.net.origin import NamedRecords
from caffepy.net.stage import NOT_TAKEN, Stage, not_taken

Hook = Callable[[int], object]


class Hooks(NamedTuple):
    """What is called with the number of each layer, before it runs and after."""

    before_forward: list[Hook]
    after_forward: list[Hook]
    before_backward: list[Hook]
    after_backward: list[Hook]


class StepwiseNet(Net):
    """A net whose layers can be run one by one, forwards and backwards, over lasting blobs.

    `run` and `run_back` go from layer to layer; `forward` runs the whole graph at once, without
    touching the blobs.

    storage: the blobs by name, in the order in which layers first make them. Gradients of
    parameters add up, those of blobs are overwritten; the diff of a loss is its loss weight until
    something else is written there. parameter_blobs: by layer, its parameters in Caffe's order.
    hooks: to be added to; they see every layer of a pass, also those that backward leaves out.
    """

    def __init__(self, graph: Graph, device: torch.device) -> None:
        super().__init__(graph, device)
        self.hooks = Hooks([], [], [], [])

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
        stages, weighted = self._stages[start : None if end is None else end + 1], self._weighted
        before, after = self.hooks.before_forward, self.hooks.after_forward
        for stage in stages:
            stage.forget()
        loss = 0.0
        with torch.no_grad(), NamedRecords(self.layers):
            for index, stage in enumerate(stages, start):
                for hook in before:
                    hook(index)
                stage.forward()
                if index in weighted:
                    for blob, weight in weighted[index]:
                        loss += weight * float(blob.values.tensor().sum())
                for hook in after:
                    hook(index)
        return loss

    def run_back(self, start: int | None = None, end: int = 0) -> None:
        """Run the layers from `start` down to `end`, both included, backwards.

        Each takes the diffs of its tops, overwrites those of its bottoms and adds to those of its
        parameters. Layers that lead from nothing learned to a loss are left out, as in Caffe.

        Raises:
            LayerError: something that is learned can only be reached by a gradient that there is not.
        """
        self._flush()
        stages = self._stages_back
        first = len(self.layers) - 1 if start is None else start
        for index in range(first, end - 1, -1):
            for hook in self.hooks.before_backward:
                hook(index)
            if stages[index].need.layer:
                stages[index].backward()
            for hook in self.hooks.after_backward:
                hook(index)

    def reshape(self) -> None:
        """Let every blob follow the shapes of the Input layers' tops, without computing."""
        for layer, step in self.plan():
            if isinstance(layer, SourceLayer):
                continue
            bottoms = [self.storage[name].shape for name in step.bottoms]
            try:
                shapes = layer.top_shapes(*bottoms)
            except CaffeError:
                raise
            except NOT_TAKEN as error:
                raise not_taken(layer, bottoms, error) from error
            for name, shape in zip(step.tops, shapes, strict=True):
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
        with NamedRecords(self.layers):
            loss = self.run()
        self.tops = {name: self.storage[name].values.tensor().detach() for name in self.results}
        return torch.tensor(loss)

    def share_with(self, other: Net) -> None:
        """Take the other net's blobs, by layer name."""
        super().share_with(other)
        for stage in self._stages:
            stage.forget()

    def seek(self, positions: Mapping[str, int], seed: int) -> None:
        """Let each named layer without bottoms go on after that many records, drawing from `seed`."""
        super().seek(positions, seed)
        self.__dict__.pop("_stages", None)  # which hold the layers that were replaced

    @cached_property
    def _stages(self) -> list[Stage]:
        """What each layer does, in file order."""
        return [
            Stage(
                layer,
                [self.storage[name] for name in step.bottoms],
                [self.storage[name] for name in step.tops],
                need,
                [blob for blob in dict.fromkeys(self.blobs.owners_of(index)) if blob.requires_grad],
                [name in self._constants for name in step.tops],
            )
            for index, ((layer, step), need) in enumerate(
                zip(self.plan(), needs_of(self), strict=True)
            )
        ]

    @cached_property
    def _stages_back(self) -> list[Stage]:
        """The same, of a net that can be run backwards."""
        require_gradients(self)
        return self._stages

    @cached_property
    def _weighted(self) -> dict[int, list[tuple[Blob, float]]]:
        """By layer, its tops that are part of the objective, and their weights."""
        found = {
            index: [
                (self.storage[name], self.loss_weights[name])
                for name in step.tops
                if name in self.loss_weights
            ]
            for index, step in enumerate(self.steps)
        }
        return {index: parts for index, parts in found.items() if parts}

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
        """Give a GPU what was written into parameters; a CPU has it already."""
        if self.device.type == "cpu":
            return
        for blobs in self.parameter_blobs:
            for blob in blobs:
                blob.flush()


def build_stepwise(
    graph: Graph,
    *,
    device: str | torch.device = "cpu",
    seed: int = 0,
    rank: int = 0,
    world: int = 1,
) -> StepwiseNet:
    """The same as `caffepy.net.build.build_net`, to be run layer by layer.

    rank, world: which of how many processes that train together this is.
    """
    return assemble(StepwiseNet(graph, torch.device(device)), seed, rank=rank, world=world)
