"""A layer between the lasting blobs that it reads and writes, to be run by itself."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from caffepy.blob import Array, Blob
from caffepy.errors import CaffeError, LayerError
from caffepy.layers.layer import Layer, Shape, SourceLayer, as_tuple
from caffepy.net.need import Need

# What torch raises for tensors that do not fit together: after a reshape all shapes are possible.
NOT_TAKEN = (RuntimeError, ValueError, IndexError)


@dataclass(frozen=True)
class Tape:
    """One forward pass of a layer, kept so that backward may go over it, more than once."""

    bottoms: tuple[Tensor, ...]
    tops: tuple[Tensor, ...]


class Stage:
    """One layer, with all that a pass has to know of it looked up before.

    Args:
        layer: the layer.
        bottoms: the blobs that it reads.
        tops: the blobs that it writes; with the same object in both it works in place.
        need: whether backward runs it, and which bottoms get a gradient.
        parameters: those that get a gradient.
        constant: by top, whether it keeps what is in it; of a source layer only.
    """

    def __init__(
        self,
        layer: Layer,
        bottoms: Sequence[Blob],
        tops: Sequence[Blob],
        need: Need,
        parameters: Sequence[nn.Parameter],
        constant: Sequence[bool],
    ) -> None:
        self.layer = layer
        self.bottoms = bottoms
        self.tops = tops
        self.need = need
        self._parameters = parameters
        self._tape: Tape | None = None
        self._inputs = [blob.values for blob in bottoms]
        self._outputs = [blob.values for blob in tops]
        self._in_place = [blob in tops for blob in bottoms]
        self._source = layer if isinstance(layer, SourceLayer) else None
        self._reads = not all(constant)
        self._fresh = [not kept for kept in constant]
        self._checks = type(layer).check is not Layer.check

    def forget(self) -> None:
        """Let go of the last forward pass, so that its memory can be used again."""
        self._tape = None

    def forward(self) -> None:
        """Run the layer on what is in its bottoms now; a source layer reads its next batch."""
        if self._source is not None:
            if self._reads:
                self._read(self._source)
            return
        if self.need.layer:
            self._tape = self._record()
            made: Iterable[Tensor] = [top.detach() for top in self._tape.tops]
        else:
            made = self._run(tuple([_laid_out(array.tensor()) for array in self._inputs]))
        for array, top in zip(self._outputs, made, strict=True):
            array.assign(_apart(top, self._inputs))

    def backward(self) -> None:
        """Take the diffs of the tops, overwrite those of the bottoms, add to the parameters'."""
        if not self.tops:
            return  # no gradient comes from here, and to run it again would write twice
        tape = self._recorded()
        wanted = [bottom for bottom in tape.bottoms if bottom.requires_grad]
        differentiable = [
            (top, _diff(blob, top))
            for blob, top in zip(self.tops, tape.tops, strict=True)
            if top.requires_grad
        ]
        if not (differentiable and (wanted or self._parameters)):
            return
        tops, diffs = zip(*differentiable, strict=True)
        gradients = torch.autograd.grad(
            tops, [*wanted, *self._parameters], diffs, retain_graph=True, allow_unused=True
        )
        blobs = [
            blob for blob, needed in zip(self.bottoms, self.need.bottoms, strict=True) if needed
        ]
        for blob, gradient in zip(blobs, gradients, strict=False):
            if gradient is not None:
                blob.gradient.assign(_apart(gradient, [top.gradient for top in self.tops]))
        add_to(self._parameters, gradients[len(blobs) :])

    def _read(self, layer: SourceLayer) -> None:
        for array, fresh, top in zip(self._outputs, self._fresh, layer.read(), strict=True):
            if fresh:
                array.assign(top)

    def _run(self, bottoms: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        if self._checks and bottoms[-1].device.type == "cpu":
            self.layer.check(*bottoms)
        try:
            return as_tuple(self.layer(*bottoms))
        except CaffeError:
            raise
        except NOT_TAKEN as error:
            raise not_taken(self.layer, [tuple(b.shape) for b in bottoms], error) from error

    def _record(self) -> Tape:
        """Run the layer on what is in its bottoms now, and keep how its tops came about."""
        with torch.enable_grad():
            bottoms = tuple(
                _reader(array, alone=alone).requires_grad_(needed)
                for array, alone, needed in zip(
                    self._inputs, self._in_place, self.need.bottoms, strict=True
                )
            )
            return Tape(bottoms, self._run(bottoms))

    def _recorded(self) -> Tape:
        """The last forward pass, or, if blobs have other shapes since, a new one."""
        tape = self._tape
        shapes = [blob.shape for blob in (*self.bottoms, *self.tops)]
        if tape is not None and shapes == [tuple(t.shape) for t in (*tape.bottoms, *tape.tops)]:
            return tape
        with unchanged(self.layer):
            return self._record()


def not_taken(layer: Layer, bottoms: Sequence[Shape], error: Exception) -> LayerError:
    """The error to raise for what a layer raised over bottoms of these shapes."""
    shapes = ", ".join(map(str, bottoms))
    return layer.error(f"bottoms of shape {shapes}: {error}")


def _apart(value: Tensor, sources: Iterable[Array]) -> Tensor:
    """What a layer made, cloned where it handed on the very memory that a script sees."""
    for array in sources:
        if array.lends(value):
            return value.clone()
    return value


def _reader(array: Array, *, alone: bool) -> Tensor:
    """Numbers for a layer that backward will run; a clone if the layer is to write over them.

    `data` gives the memory a second life, in which later writes to the blob do not count as
    changes: backward computes with what is in the blobs by then, as Caffe's does.
    """
    values = _laid_out(array.tensor().data)
    return values.clone() if alone else values


def _laid_out(values: Tensor) -> Tensor:
    """Images with the channels last in memory, in which convolution and pooling are faster."""
    return values.to(memory_format=torch.channels_last) if values.dim() == 4 else values


def _diff(blob: Blob, top: Tensor) -> Tensor:
    blob.gradient.resize(tuple(top.shape))
    return blob.gradient.tensor()


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
