"""The net: Caffe's graph of named blobs as one torch module."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import torch
from torch import Tensor, nn

from caffepy.errors import NetError, near
from caffepy.graph.graph import Graph
from caffepy.layers.layer import Layer, Shape, SourceLayer, as_tuple
from caffepy.net.origin import NamedRecords
from caffepy.net.params import BlobTable, Learnable

Observer = Callable[[str, str, Tensor], None]


@dataclass(frozen=True)
class Step:
    """How one layer is wired: the blobs it reads and the blobs it writes."""

    name: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    propagate_down: tuple[bool, ...]  # by bottom, where the file says it; else empty

    @cached_property
    def detached(self) -> tuple[bool, ...]:
        """By bottom, whether no gradient goes there because the file says so."""
        return tuple(not flag for flag in self.propagate_down) or (False,) * len(self.bottoms)


class Net(nn.Module):
    """A net that `caffepy.net.build.build_net` has built, ready to run.

    `forward(**tops)` takes the tops of the source layers, by blob name, and returns the
    outputs; it is pure, so torch.compile, autocast and export apply to it as to any module.
    `read()` fetches those tops from the data layers. A blob's name means what its last writer left
    there, as in-place layers have it.

    layers, layer_names: the layers in file order, Split layers included, and their names, which may
    repeat. inputs: tops of Input layers. outputs: tops that no layer consumes, sorted.
    shapes: of each blob, as built. loss_weights: by blob, where not zero. learnable: the blobs that
    the solver updates, in Caffe's order. tops: what the last `forward_backward` or `evaluate` gave.
    waited: the seconds that `read` took so far.
    """

    def __init__(self, graph: Graph, device: torch.device) -> None:
        super().__init__()
        self.graph = graph
        self.device = device
        self.name = graph.name
        self.layers = nn.ModuleList()
        self.layer_names: list[str] = []
        self.shapes: dict[str, Shape] = {}
        self.loss_weights: dict[str, float] = {}
        self.inputs = list(graph.inputs)
        self.outputs = list(graph.outputs)
        self.tops: dict[str, Tensor] = {}
        self.waited = 0.0
        self.blobs = BlobTable()
        self.steps: list[Step] = []

    @property
    def learnable(self) -> list[Learnable]:
        """The blobs that the solver updates: one entry an owner, frozen ones included."""
        return self.blobs.learnable

    @property
    def results(self) -> list[str]:
        """The blobs that `forward` returns: the outputs, and those with a loss weight."""
        return [*self.outputs, *(blob for blob in self.loss_weights if blob not in self.outputs)]

    def append(self, layer: Layer, step: Step, shapes: list[Shape]) -> None:
        """Enter the next layer in file order, with the shapes of its tops."""
        self.layers.append(layer)
        self.layer_names.append(step.name)
        self.steps.append(step)
        self.shapes.update(zip(step.tops, shapes, strict=True))
        self.blobs.append(layer)

    def plan(self) -> Iterator[tuple[Layer, Step]]:
        """Every layer in file order, and how it is wired."""
        return zip(cast("Iterable[Layer]", self.layers), self.steps, strict=True)

    def read(self) -> dict[str, Tensor]:
        """The next batch of each layer without bottoms, by blob name; zeros for Input layers."""
        begun = time.perf_counter()
        tops: dict[str, Tensor] = {}
        for layer, step in self.plan():
            if isinstance(layer, SourceLayer):
                tops.update(zip(step.tops, layer.read(), strict=True))
        self.waited += time.perf_counter() - begun
        return tops

    def forward(self, **tops: Tensor) -> dict[str, Tensor]:
        """The outputs for these tops of the layers without bottoms, given by blob name."""
        return self._run(tops)

    def objective(self, tops: Mapping[str, Tensor]) -> Tensor:
        """What training minimises: the sum of loss_weight times the sum of each weighted top."""
        parts = [weighted_sum(tops[blob], weight) for blob, weight in self.loss_weights.items()]
        return sum(parts[1:], parts[0]) if parts else torch.zeros(())

    def zero_diffs(self) -> None:
        """Forget the gradients; `forward_backward` adds to them until the next call."""
        for entry in self.learnable:
            entry.param.grad = None

    def forward_backward(self) -> Tensor:
        """Read a batch, add its gradients to the parameters' `grad`, and return its objective."""
        outputs = self._read_and_run()
        objective = self.objective(outputs)
        if objective.requires_grad:
            objective.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        for entry in self.learnable:
            if entry.param.requires_grad and entry.param.grad is None:
                entry.param.grad = torch.zeros_like(entry.param)  # weight decay still applies
        self.tops = {name: top.detach() for name, top in outputs.items()}
        return objective.detach()

    @torch.no_grad()
    def evaluate(self) -> Tensor:
        """Read a batch and return its objective, without gradients."""
        self.tops = self._read_and_run()
        return self.objective(self.tops)

    def share_with(self, other: "Net") -> None:
        """Take the other net's blobs, by layer name, as a test net takes the train net's.

        The storage is shared: what the solver learns is seen here at once.
        """
        first = {name: index for index, name in reversed(list(enumerate(other.layer_names)))}
        for index, name in enumerate(self.layer_names):
            if name not in first:
                continue
            ours, theirs = self.blobs.blobs_of(index), other.blobs.blobs_of(first[name])
            if [blob.shape for blob in ours] != [blob.shape for blob in theirs]:
                place = self.graph.nodes[index].position
                other_place = other.graph.nodes[first[name]].position
                raise NetError(
                    f"{place}: layer {name!r} has blobs of shapes "
                    f"{[tuple(blob.shape) for blob in ours]}, and {name!r} at {other_place}, in the "
                    f"net it shares with, {[tuple(blob.shape) for blob in theirs]}"
                )
            self.blobs.share(index, other.blobs, first[name])

    def positions(self) -> dict[str, int]:
        """How many records the layers without bottoms have handed out, by layer name.

        A layer that does not say is left out, and `seek` leaves it where it is.
        """
        return {
            step.name: layer.position
            for layer, step in self.plan()
            if isinstance(layer, SourceLayer) and layer.position is not None
        }

    @cached_property
    def stateful(self) -> list[int]:
        """Which of `layers` carry more than blobs from batch to batch, as an LSTM does.

        They have persistent buffers; those that are not are constants.
        """
        return [
            index
            for index, layer in enumerate(self.layers)
            if not layer.state_dict().keys() <= dict(layer.named_parameters()).keys()
        ]

    def seek(self, positions: Mapping[str, int], seed: int) -> None:
        """Let each named layer without bottoms go on after that many records, drawing from `seed`."""
        for index, name in enumerate(self.layer_names):
            layer = self.layers[index]
            if isinstance(layer, SourceLayer) and name in positions:
                self.layers[index] = layer.moved(positions[name], seed)

    def blobs_of(self, index: int) -> list[Tensor]:
        """The storage of the blobs of the layer at this place in `layers`, in Caffe's order."""
        return self.blobs.blobs_of(index)

    def first_non_finite(self, tops: Mapping[str, Tensor]) -> tuple[str, str] | None:
        """The first layer, and its top, that holds a NaN or an infinity; None where none does."""
        found: list[tuple[str, str]] = []

        def observe(layer: str, blob: str, top: Tensor) -> None:
            if not found and not bool(torch.isfinite(top).all()):
                found.append((layer, blob))

        with torch.no_grad():
            self._run(tops, observe, again=True)
        return found[0] if found else None

    def _read_and_run(self) -> dict[str, Tensor]:
        tops = self.read()
        with NamedRecords(self.layers):
            outputs: dict[str, Tensor] = self(**tops)
        return outputs

    @torch.no_grad()
    def look(self, blobs: Iterable[str]) -> dict[str, Tensor]:
        """Read a batch, run it, and return what these blobs hold then, whichever they are.

        Raises NetError for a name that no blob of the net has.
        """
        wanted = list(blobs)
        for name in wanted:
            if name not in self.shapes:
                raise NetError(f"net {self.name!r} has no blob {name!r}{near(name, self.shapes)}")
        seen: dict[str, Tensor] = {}

        def observe(_layer: str, blob: str, top: Tensor) -> None:
            if blob in wanted:
                seen[blob] = top

        self.tops = self._run(self.read(), observe)
        return seen

    def _run(
        self, tops: Mapping[str, Tensor], observe: Observer | None = None, *, again: bool = False
    ) -> dict[str, Tensor]:
        blobs: dict[str, Tensor] = {}
        for (layer, step), unread in zip(self.plan(), self._unread, strict=True):
            if isinstance(layer, SourceLayer):
                made = self._given(step, tops)
            elif again and not step.tops:
                made = ()  # what it writes it would write twice
            else:
                bottoms = tuple(
                    blobs[name].detach() if detached else blobs[name]
                    for name, detached in zip(step.bottoms, step.detached, strict=True)
                )
                made = run_layer(layer, bottoms)
            for name, top in zip(step.tops, made, strict=True):
                blobs[name] = top
                if observe is not None:
                    observe(step.name, name, top)
            for name in unread:
                del blobs[name]
        return {name: blobs[name] for name in self.results}

    @cached_property
    def _unread(self) -> list[list[str]]:
        """After which step which blobs are read no more, so that their memory can be used again."""
        unread: list[list[str]] = []
        needed = set(self.results)
        for step in reversed(self.steps):
            touched = {*step.bottoms, *step.tops}
            unread.append(sorted(touched - needed))
            needed = (needed - set(step.tops)) | set(step.bottoms)
        return unread[::-1]

    def _given(self, step: Step, tops: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """The tops of a layer without bottoms."""
        for name in step.tops:
            if name not in tops:
                raise NetError(
                    f"no value for blob {name!r} of layer {step.name!r}{near(name, tops)}"
                )
        return tuple(channels_last(tops[name]) for name in step.tops)


def run_layer(layer: Layer, bottoms: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The tops of a layer; on the CPU its bottoms are checked first."""
    if bottoms and bottoms[-1].device.type == "cpu" and not torch.compiler.is_compiling():
        layer.check(*bottoms)
    return as_tuple(layer(*bottoms))


def weighted_sum(top: Tensor, weight: float) -> Tensor:
    """weight times the sum of a top; a loss of weight 1, as nearly all are, is that itself."""
    total = top.sum() if top.dim() else top
    return total if weight == 1 else weight * total


def channels_last(top: Tensor) -> Tensor:
    """A batch of images with the channels last in memory; other blobs as they are.

    Convolution and pooling are up to twice as fast so. `contiguous` would leave an image of one
    channel as it is, `to` does not.
    """
    return top.to(memory_format=torch.channels_last) if top.dim() == 4 else top
