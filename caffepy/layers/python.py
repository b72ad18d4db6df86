"""Python: a layer that computes with a class of the user's, in numpy."""

from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from caffepy.blob import Blob, ParameterBlob
from caffepy.layers.layer import Layer as TorchLayer
from caffepy.layers.layer import Shape, Source, SourceLayer, register
from caffepy.layers.user_code import blaming, load_class
from caffepy.proto import LayerParameter

CPU = torch.device("cpu")


class Blobs:
    """The learned blobs of a user's layer, in the order in which `setup` adds them."""

    def __init__(self) -> None:
        self.parameters = nn.ParameterList()
        self.closed = False
        self._views: list[ParameterBlob] = []

    def add_blob(self, *shape: int) -> None:
        """Add a blob of zeros; ValueError after `setup`, when the net has counted its blobs."""
        if self.closed:
            raise ValueError("blobs are added in setup; this layer's is over")
        parameter = nn.Parameter(torch.zeros(shape))
        self.parameters.append(parameter)
        self._views.append(ParameterBlob(parameter, shape))

    def __len__(self) -> int:
        return len(self._views)

    def __iter__(self) -> Iterator[ParameterBlob]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, index: int) -> ParameterBlob:
        """A blob: its data and diff are those of the net's parameter, which it may share."""
        view, parameter = self._views[index], self.parameters[index]
        if not isinstance(parameter, nn.Parameter):
            raise TypeError(f"blob {index} is shared in another shape, a Python layer's cannot be")
        if view.parameter is not parameter:
            view = self._views[index] = ParameterBlob(parameter, tuple(parameter.shape))
        return view


class Layer:
    """The base of the layers that users write, which they know as `caffe.Layer`.

    `bottom` and `top` are lists of blobs, whose data and diff are numpy arrays; `self.blobs` are
    those that are learned.

    param_str: as python_param has it. phase: caffe.TRAIN or caffe.TEST.
    Source: caffe/include/caffe/layers/python_layer.hpp
    """

    type = "Python"

    def __init__(self, param: LayerParameter) -> None:
        self.param_str = param.python_param.param_str
        self.phase = int(param.phase)
        self.blobs = Blobs()

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        """Once, when the net is built: read param_str, check the bottoms, add learned blobs."""
        raise NotImplementedError

    def reshape(self, bottom: list[Blob], top: list[Blob]) -> None:
        """When the net is built and before each forward: give the tops their shapes."""
        raise NotImplementedError

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        """Write the tops' data."""
        raise NotImplementedError

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None:
        """Write the diffs of the bottoms that want one, and add to those of `self.blobs`."""
        raise NotImplementedError("the class has no method backward, and its bottoms want a diff")


class Host:
    """A user's layer, and the blobs that it sees: they last, as Caffe's do.

    What its methods raise becomes a LayerError that names the layer, the class and the method.
    """

    def __init__(self, owner: TorchLayer, bottoms: Sequence[Shape]) -> None:
        param = owner.param
        cls = load_class(owner, Layer)
        self._owner = owner
        self._name = f"{param.python_param.module}.{param.python_param.layer}"
        self.bottoms = [Blob(shape, CPU) for shape in bottoms]
        names = dict(zip(param.bottom, self.bottoms, strict=False))
        self.tops = [names[top] if top in names else Blob((), CPU) for top in param.top]
        with blaming(owner, self._name, "python_param.layer"):
            self.user: Layer = cls(param)
        self._call("setup", self.bottoms, self.tops)
        self.user.blobs.closed = True

    def reshape(self, bottoms: Sequence[Shape]) -> list[Shape]:
        """The shapes that the tops take for bottoms of these shapes."""
        for blob, shape in zip(self.bottoms, bottoms, strict=True):
            blob.reshape(*shape)
        self._call("reshape", self.bottoms, self.tops)
        return [blob.shape for blob in self.tops]

    def forward(self, bottoms: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The tops, on the CPU, in memory of their own."""
        for blob, tensor in zip(self.bottoms, bottoms, strict=True):
            blob.values.assign(tensor.detach().to(CPU, torch.float32))
        self._call("reshape", self.bottoms, self.tops)
        self._call("forward", self.bottoms, self.tops)
        return tuple(blob.values.tensor().clone() for blob in self.tops)

    def backward(
        self, diffs: Sequence[Tensor], propagate_down: Sequence[bool]
    ) -> list[Tensor | None]:
        """The gradients of the bottoms that want one, on the CPU; adds to those of the blobs."""
        for blob, diff in zip(self.tops, diffs, strict=True):
            blob.gradient.assign(diff.to(CPU, torch.float32))
        self._call("backward", self.tops, list(propagate_down), self.bottoms)
        for blob in self.bottoms:
            blob.gradient.resize(blob.shape)
        return [
            blob.gradient.tensor().clone() if wanted else None
            for blob, wanted in zip(self.bottoms, propagate_down, strict=True)
        ]

    def _call(self, method: str, *args: object) -> None:
        with blaming(self._owner, f"{self._name}.{method}", "python_param.layer"):
            getattr(self.user, method)(*args)
            for blob in self.user.blobs:
                blob.flush()


class _Context(FunctionCtx):
    """What forward leaves for backward."""

    host: Host
    blobs: int
    needs_input_grad: tuple[bool, ...]


class _Run(torch.autograd.Function):
    """A user's forward and backward. What backward adds to learned blobs, it adds in their diffs."""

    @staticmethod
    def forward(ctx: _Context, host: Host, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.host, ctx.blobs = host, len(host.user.blobs)
        bottoms = tensors[: len(host.bottoms)]
        dtype = torch.promote_types(bottoms[0].dtype, torch.float32)
        return tuple(top.to(bottoms[0].device, dtype) for top in host.forward(bottoms))

    @staticmethod
    @once_differentiable
    def backward(ctx: _Context, *diffs: Tensor) -> tuple[Tensor | None, ...]:
        wanted = ctx.needs_input_grad[1 : 1 + len(ctx.host.bottoms)]
        gradients = ctx.host.backward(diffs, wanted)
        device = diffs[0].device
        moved = [None if gradient is None else gradient.to(device) for gradient in gradients]
        return (None, *moved, *(None,) * ctx.blobs)


class PythonSource(SourceLayer):
    """A Python layer without bottoms.

    How much it has read is its own affair: a snapshot does not keep it, and a resumed training
    begins with what the class reads first.
    """

    position = None

    def __init__(self, param: LayerParameter, source: Source) -> None:
        super().__init__(param, source)
        self.host = Host(self, ())
        if self.host.user.blobs:
            text = "it adds blobs to learn, but has no bottoms: no gradient could reach them"
            raise self.error(text, "python_param.layer")

    def read(self) -> tuple[Tensor, ...]:
        return tuple(top.to(self.source.device) for top in self.host.forward(()))

    def top_shapes(self, *_bottoms: Shape) -> list[Shape]:
        return self.host.reshape(())


@register("Python")
class Python(TorchLayer):
    """What the class `layer` of the Python module `module` computes, on the CPU and in float32.

    The class is a caffe.Layer with the methods setup, reshape and forward, and backward where a
    bottom is to get a gradient: as `backward` leaves it in the bottom's diff, which stays what it
    was where nothing is written. The module is looked for on PYTHONPATH, among what is installed
    and, last, in the current folder. For its `import caffe` the commands see to it, or
    `caffepy.pycaffe.install()`. A layer without bottoms reads data; its place in them is not kept
    by snapshots. As in Caffe 1.0, `share_in_parallel` does nothing.

    Bottom:  any number, of any shapes.
    Top:     any number, of the shapes that `reshape` gives them.
    Blobs:   those that `setup` adds by self.blobs.add_blob(*shape); zeros, unless it fills them.
    Source:  caffe/include/caffe/layers/python_layer.hpp, caffe/python/caffe/_caffe.cpp
    """

    without_bottoms = PythonSource

    def __init__(self, param: LayerParameter, *bottoms: Shape) -> None:
        super().__init__(param, *bottoms)
        self.host = Host(self, bottoms)
        self.blobs = self.host.user.blobs.parameters

    def forward(self, *bottoms: Tensor) -> tuple[Tensor, ...]:
        return cast("tuple[Tensor, ...]", _Run.apply(self.host, *bottoms, *self.blobs))

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        return self.host.reshape(bottoms)
