"""The base of every layer, and the registry from Caffe's type names to layers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar, cast

import torch
from torch import Tensor, nn

from caffepy.data.ahead import WORKERS
from caffepy.errors import LayerError, near
from caffepy.fillers import fill
from caffepy.graph.kinds import KINDS, Kind
from caffepy.proto import FillerParameter, LayerParameter

Shape = tuple[int, ...]


class Layer(nn.Module):
    """One step of the graph: tops = forward(*bottoms).

    `parameters()` in declaration order are Caffe's blobs; those that are not learned have
    `requires_grad=False`. `__init__` is the only reader of the message and uses the bottoms' shapes
    for the shapes of blobs only.
    """

    kind: ClassVar[Kind]
    without_bottoms: ClassVar["type[SourceLayer] | None"] = None  # where the type can be either

    def __init__(self, param: LayerParameter, *_bottoms: Shape) -> None:
        super().__init__()
        self.param = param  # for the net, which wires by its names and weights

    def check(self, *bottoms: Tensor) -> None:
        """Raise LayerError for values `forward` has no answer to, such as a label of no class.

        The net calls it before `forward` where the bottoms are on the CPU.
        """

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        """The tops' shapes: `forward`, run on the meta device, where tensors have no data."""
        tensors = [*self.named_parameters(), *self.named_buffers()]
        state = {name: tensor.to("meta") for name, tensor in tensors}
        dtype = next((blob.dtype for blob in self.parameters()), torch.float32)
        inputs = tuple(torch.empty(shape, dtype=dtype, device="meta") for shape in bottoms)
        tops = torch.func.functional_call(self, state, inputs)
        return [tuple(top.shape) for top in as_tuple(tops)]

    def filled(self, filler: FillerParameter, shape: Shape, field: str) -> nn.Parameter:
        """A blob to learn, with the filler's numbers; `field` is where the filler stands.

        Raises LayerError, naming the layer, for a filler that cannot fill this shape.
        """
        try:
            return nn.Parameter(fill(filler, shape))
        except LayerError as error:
            raise self.error(f"{field}: {error}", f"{field}.{error.field}") from error

    def error(self, text: str, field: str = "") -> LayerError:
        """The error to raise: names the layer; `field` says which field is to blame."""
        return LayerError(f"{self.full_name}: {text}", field)

    @property
    def full_name(self) -> str:
        """The layer's name and type, for messages."""
        return f"layer {self.param.name!r} ({self.param.type})"


@dataclass(frozen=True)
class Source:
    """What a source layer is told besides its message.

    seed: the run's; rank and world: which of how many processes this is, for dealing records;
    position: how many records were read before, by an earlier run; workers: how many threads make
    batches, which changes none of them.
    """

    training: bool
    device: torch.device
    seed: int
    rank: int = 0
    world: int = 1
    position: int = 0
    workers: int = WORKERS

    @property
    def share(self) -> tuple[int, int]:
        """The rank, and of how many, by which records are dealt out: all go to all but in training."""
        return (self.rank, self.world) if self.training else (0, 1)


class SourceLayer(Layer):
    """A layer that data comes from: `read()` makes its tops; the net calls it before `forward`."""

    def __init__(self, param: LayerParameter, source: Source) -> None:
        super().__init__(param)
        self.source = source

    @property
    def position(self) -> int | None:
        """How many records have been handed out; None where only the layer itself knows.

        0 where there is nothing to count.
        """
        return 0

    def origin(self, _item: int) -> str:
        """The record that an item of the last batch is, for messages; "" where there are none."""
        return ""

    def moved(self, position: int, seed: int) -> "SourceLayer":
        """The layer that goes on after so many records, drawing from `seed`; may be this one."""
        return build_source(self.param, replace(self.source, position=position, seed=seed))

    def read(self) -> tuple[Tensor, ...]:
        """The next batch, on `source.device`: one tensor a top."""
        raise NotImplementedError

    def constants(self) -> tuple[Tensor | None, ...]:
        """By top, the numbers that every batch has, or None where batches differ.

        A net whose blobs last puts them there once, so that what a script writes over them stays.
        """
        return (None,) * len(self.param.top)

    def forward(self) -> tuple[Tensor, ...]:
        return self.read()

    def top_shapes(self, *_bottoms: Shape) -> list[Shape]:
        """The shapes of the tops of the first batch, without moving `position`."""
        raise NotImplementedError


def as_tuple(tops: Tensor | tuple[Tensor, ...] | None) -> tuple[Tensor, ...]:
    """What `forward` returned, as one tensor a top."""
    if tops is None:
        return ()
    return tops if isinstance(tops, tuple) else (tops,)


_REGISTRY: dict[str, type[Layer]] = {}
L = TypeVar("L", bound=type[Layer])


def register(type_name: str) -> Callable[[L], L]:
    """Enter a layer class under Caffe's type name; its counts come from graph/kinds.py."""

    def enter(cls: L) -> L:
        if type_name in _REGISTRY:
            raise LayerError(f"layer type {type_name!r} is registered twice")
        cls.kind = KINDS[type_name]
        _REGISTRY[type_name] = cls
        return cls

    return enter


def layer_types() -> list[str]:
    """Every type name that can be built."""
    return sorted(_REGISTRY)


def layer_classes() -> dict[str, type[Layer]]:
    """The class of every type name, by name."""
    return {name: _REGISTRY[name] for name in layer_types()}


def layer_class(param: LayerParameter) -> type[Layer]:
    """The class of a layer's type; LayerError, naming the known types, where there is none."""
    if param.type not in _REGISTRY:
        raise LayerError(
            f"layer {param.name!r}: unknown layer type {param.type!r}"
            f"{near(param.type, _REGISTRY)} (known types: {', '.join(layer_types())})",
            "type",
        )
    cls = _REGISTRY[param.type]
    return cls if param.bottom or cls.without_bottoms is None else cls.without_bottoms


def build(param: LayerParameter, *bottoms: Shape) -> Layer:
    """The layer that a message describes, over bottoms of these shapes."""
    return layer_class(param)(param, *bottoms)


def build_source(param: LayerParameter, source: Source) -> SourceLayer:
    """The source layer that a message describes."""
    return cast("type[SourceLayer]", layer_class(param))(param, source)
