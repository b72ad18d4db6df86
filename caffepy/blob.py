"""Blob: a named array and its gradient, computed with by torch and seen by numpy."""

import math
from operator import index
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float32]
Shape = tuple[int, ...]


class Array:
    """Numbers of one shape that torch writes, and that numpy may look at and write too.

    Until somebody looks, the numbers are whatever tensor torch left there, in its own layout and on
    its own device. `view` is C-contiguous memory that stays the same from then on: what torch
    assigns is copied into it, and what is written into it is what `tensor` returns.
    """

    __slots__ = ("_buffer", "_device", "_fill", "_seen", "_value", "shape")

    def __init__(self, shape: Shape, device: torch.device, fill: float = 0.0) -> None:
        self.shape = shape

        self._device = device
        self._fill = fill
        self._value: Tensor | None = None  # the numbers, until somebody looks
        self._buffer: Tensor | None = None  # their memory from then on, flat
        self._seen: tuple[Tensor, Floats] | None = None  # that memory in the shape of now

    def tensor(self) -> Tensor:
        """The numbers, for torch to read; on a CPU the very memory of `view`, where there is one."""
        if self._buffer is not None:
            return self._window()[0].to(self._device)
        if self._value is None:
            self._value = torch.full(self.shape, self._fill, device=self._device)
        return self._value

    def assign(self, value: Tensor) -> None:
        """Take the numbers of a tensor, and its shape. The caller writes no more into the tensor."""
        if value.shape != self.shape:
            self.resize(tuple(value.shape))
        if self._buffer is None:
            self._value = value
        else:
            self._window()[0].copy_(value)

    def view(self) -> Floats:
        """The numbers as writable memory, which stays theirs until they outgrow it."""
        if self._buffer is None:
            # A clone, since what torch left here may be another array's memory too.
            value = self.tensor().to("cpu", copy=True, memory_format=torch.contiguous_format)
            self._value = None
            self._buffer = value.view(-1)
        return self._window()[1].view()

    def lends(self, value: Tensor) -> bool:
        """Whether a tensor lies in the memory of `view`, where a script may write at any time."""
        if self._buffer is None:
            return False
        memory = self._buffer.untyped_storage().data_ptr()
        return memory == value.untyped_storage().data_ptr()

    def resize(self, shape: Shape) -> None:
        """Take another shape; memory is kept where it is large enough."""
        if shape == self.shape:
            return
        count = math.prod(shape)
        if self._buffer is not None and count > len(self._buffer):
            self._buffer = torch.full((count,), self._fill)
        self._value = self._seen = None
        self.shape = shape

    def _window(self) -> tuple[Tensor, Floats]:
        """The memory in the shape of now, as torch and as numpy have it."""
        if self._seen is None:
            buffer = cast("Tensor", self._buffer)
            window = buffer[: math.prod(self.shape)].view(self.shape)
            self._seen = window, cast("Floats", window.numpy())
        return self._seen


class Shaped:
    """What has a shape, and Caffe's older names for the axes of four."""

    @property
    def shape(self) -> Shape:
        """The size of each axis."""
        raise NotImplementedError

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return math.prod(self.shape)

    @property
    def num(self) -> int:
        """The size of the first axis, 1 where there is none."""
        return self._legacy(0)

    @property
    def channels(self) -> int:
        """The size of the second axis, 1 where there is none."""
        return self._legacy(1)

    @property
    def height(self) -> int:
        """The size of the third axis, 1 where there is none."""
        return self._legacy(2)

    @property
    def width(self) -> int:
        """The size of the fourth axis, 1 where there is none."""
        return self._legacy(3)

    def _legacy(self, axis: int) -> int:
        if len(self.shape) > 4:
            raise ValueError(
                f"Cannot use legacy accessors on Blobs with > 4 axes: the shape is {self.shape}; "
                f"shape[{axis}] is the size of an axis"
            )
        return self.shape[axis] if axis < len(self.shape) else 1


class Blob(Shaped):
    """What a layer reads or writes: numbers, and the gradient of the objective by them.

    data, diff: float32 numpy views, in the blob's shape; live, and writable. fill: what the diff
    holds at first, which is the loss weight for the top of a loss.
    """

    def __init__(self, shape: Shape, device: torch.device, fill: float = 0.0) -> None:
        self.values = Array(shape, device)
        self.gradient = Array(shape, device, fill)

    @property
    def data(self) -> Floats:
        """The numbers, as memory that stays valid."""
        return self.values.view()

    @property
    def diff(self) -> Floats:
        """The gradient, as memory that stays valid."""
        self.gradient.resize(self.values.shape)
        return self.gradient.view()

    @property
    def shape(self) -> Shape:
        """The size of each axis."""
        return self.values.shape

    def reshape(self, *shape: int) -> None:
        """Give the blob another shape; nets follow at their next `reshape` or `forward`.

        ValueError for a negative size.
        """
        sizes = tuple(map(index, shape))
        if any(size < 0 for size in sizes):
            raise ValueError(f"a blob cannot have shape {sizes}: sizes are 0 or more")
        self.values.resize(sizes)
        self.gradient.resize(sizes)


class ParameterBlob(Shaped):
    """A layer's parameter as a blob: what is written into `data` is what the layer computes with.

    diff adds up over backward passes until it is zeroed. On a GPU both are fetched when they are
    asked for, and go back with `flush`.
    """

    def __init__(self, parameter: nn.Parameter, shape: Shape) -> None:
        self.parameter = parameter
        self._shape = shape
        self._fetched: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def shape(self) -> Shape:
        """The size of each axis."""
        return self._shape

    @property
    def data(self) -> Floats:
        """The parameter's own memory."""
        return self._view(self.parameter.detach())

    @property
    def diff(self) -> Floats:
        """The memory of the parameter's gradient."""
        if self.parameter.grad is None:
            self.parameter.grad = torch.zeros_like(self.parameter)
        return self._view(self.parameter.grad)

    def reshape(self, *shape: int) -> None:
        """See the same numbers in another shape of as many; ValueError for another count."""
        sizes = tuple(map(index, shape))
        if math.prod(sizes) != self.count:
            raise ValueError(
                f"a parameter of shape {self._shape}, {self.count} numbers, cannot be seen as {sizes}: "
                "its layer has made it"
            )
        self._shape = sizes

    def flush(self) -> None:
        """Give the device what was written into the numbers fetched from it."""
        for tensor, host in self._fetched.values():
            tensor.copy_(host)
        self._fetched.clear()

    def _view(self, tensor: Tensor) -> Floats:
        if tensor.device.type != "cpu":
            fetched = self._fetched.setdefault(tensor.data_ptr(), (tensor, tensor.cpu()))
            tensor = fetched[1]
        return cast("Floats", tensor.view(self._shape).numpy())
