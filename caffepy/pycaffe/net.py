"""pycaffe's Net: named blobs that a script reads and writes between passes."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast, overload

import numpy as np
from numpy.typing import ArrayLike

from caffepy.blob import Blob, Floats, ParameterBlob
from caffepy.errors import DataError, near
from caffepy.graph.load import load_graph
from caffepy.layers.layer import Layer
from caffepy.layers.memory_data import MemoryData
from caffepy.layers.python import Layer as UserLayer
from caffepy.layers.python import Python, PythonSource
from caffepy.net.stepwise import StepwiseNet, build_stepwise
from caffepy.net.weights import copy_weights, write_weights
from caffepy.proto import NetState, Phase
from caffepy.pycaffe import mode

File = str | Path


@dataclass(frozen=True)
class LayerView:
    """A layer of a Net: its type, and its parameters as blobs."""

    type: str
    blobs: list[ParameterBlob]


class Net:
    """A net read from a prototxt: Net(file, phase), or, as older scripts have it, with weights too.

    blobs: every blob by name; params: the parameters of each layer that has any, by layer name;
    layers: in file order, a Python layer as the object of its class; layer_dict: by name.
    inputs: the tops of Input layers; outputs: the blobs that no layer reads, sorted. top_names,
    bottom_names: by layer name. Blobs' data and diff are float32 numpy views, live and writable.

    Raises:
        CaffeError: a file is wrong; the message says where.
    """

    @overload
    def __init__(
        self,
        network_file: File,
        phase: int,
        level: int = 0,
        stages: Sequence[str] | None = None,
        weights: File | None = None,
    ) -> None: ...

    @overload
    def __init__(self, network_file: File, phase: File, level: int) -> None: ...

    def __init__(
        self,
        network_file: File,
        phase: int | File,
        level: int = 0,
        stages: Sequence[str] | None = None,
        weights: File | None = None,
    ) -> None:
        if isinstance(phase, str | Path):  # Net(file, weights, phase)
            weights, phase, level = phase, level, 0
        state = NetState(phase=cast("Phase", phase), level=level, stage=stages or ())
        graph = load_graph(network_file, state)
        self._wrap(build_stepwise(graph, device=mode.device(), seed=mode.seed()))
        if weights is not None:
            self.copy_from(weights)

    @classmethod
    def around(cls, net: StepwiseNet) -> Self:
        """The same view of a net that is built already, such as a solver's."""
        view = cls.__new__(cls)
        view._wrap(net)
        return view

    def _wrap(self, net: StepwiseNet) -> None:
        self._net = net
        self._layer_names = list(net.layer_names)
        self.layers = [
            _seen(layer, blobs)
            for (layer, _), blobs in zip(net.plan(), net.parameter_blobs, strict=True)
        ]
        self.layer_dict = OrderedDict(zip(self._layer_names, self.layers, strict=True))
        self.blobs: OrderedDict[str, Blob] = OrderedDict(net.storage)
        self.params = OrderedDict(
            (name, blobs)
            for name, blobs in zip(self._layer_names, net.parameter_blobs, strict=True)
            if blobs
        )
        self.inputs = list(net.inputs)
        self.outputs = list(net.outputs)
        self.top_names = OrderedDict((step.name, list(step.tops)) for step in net.steps)
        self.bottom_names = OrderedDict((step.name, list(step.bottoms)) for step in net.steps)

    @property
    def name(self) -> str:
        """The net's name in its prototxt."""
        return self._net.name

    def forward(
        self,
        blobs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **inputs: ArrayLike,
    ) -> dict[str, Floats]:
        """Run the layers from `start` to `end`, or all.

        Args:
            blobs: blobs to return besides the outputs.
            start: the name of the first layer to run.
            end: the name of the last.
            **inputs: what to put into each input first, by name: all of them or none.

        Returns:
            By name, the live data of the outputs, or of the tops of `end`, and of `blobs`.

        Raises:
            ValueError: there is no such layer, or inputs are missing or of another size.
        """
        first = 0 if start is None else self._index(start)
        last = None if end is None else self._index(end)
        if inputs:
            self._put(inputs, self.inputs, "inputs", diff=False)
        self._net.run(first, last)
        names = self.outputs if end is None else self.top_names[end]
        return {name: self.blobs[name].data for name in (*names, *(blobs or ()))}

    def backward(
        self,
        diffs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **tops: ArrayLike,
    ) -> dict[str, Floats]:
        """Run the layers from `start` down to `end`, or all, backwards.

        Args:
            diffs: blobs whose diffs to return besides those of the inputs.
            start: the name of the first layer to run.
            end: the name of the last.
            **tops: what to put into the diff of each output first, by name: all of them or none.

        Returns:
            By name, the live diffs of the inputs, or of the bottoms of `end`, and of `diffs`.

        Raises:
            ValueError: there is no such layer, or outputs are missing or of another size.
        """
        first = None if start is None else self._index(start)
        last = 0 if end is None else self._index(end)
        if tops:
            self._put(tops, self.outputs, "outputs", diff=True)
        self._net.run_back(first, last)
        names = self.inputs if end is None else self.bottom_names[end]
        return {name: self.blobs[name].diff for name in (*names, *(diffs or ()))}

    def reshape(self) -> None:
        """Let every blob follow the shapes that the inputs have been given."""
        self._net.reshape()

    def copy_from(self, weights: File) -> None:
        """Copy the parameters of a .caffemodel, by layer name."""
        copy_weights(self._net, weights)

    def save(self, path: File) -> None:
        """Write the net with its parameters as a .caffemodel."""
        write_weights(self._net, path)

    def share_with(self, other: "Net") -> None:
        """Take the other net's parameters, by layer name: what changes there changes here."""
        self._net.share_with(other._net)

    def set_input_arrays(self, data: Floats, labels: Floats) -> None:
        """Give the first layer, a MemoryData, what it hands out from now on.

        Args:
            data: C-contiguous float32 (n, channels, height, width), n a multiple of its batch size;
                not copied: what is written into it later counts.
            labels: one for each, (n,) or (n, 1, 1, 1), likewise.

        Raises:
            DataError: there is no such layer, or the arrays are not as they must be.
        """
        layer = self._net.layers[0]
        if not isinstance(layer, MemoryData):
            raise DataError(
                "set_input_arrays may only be called if the first layer is a MemoryData layer; it "
                f"is of type {self.layers[0].type}"
            )
        check_array("data", data, layer.shape)
        check_array("labels", labels, () if np.ndim(labels) == 1 else (1, 1, 1))
        layer.reset(data, labels)

    def _index(self, layer: str) -> int:
        if layer not in self._layer_names:
            raise ValueError(f"no layer {layer!r}{near(layer, self._layer_names)}")
        return self._layer_names.index(layer)

    def _put(
        self, values: Mapping[str, ArrayLike], names: Sequence[str], what: str, *, diff: bool
    ) -> None:
        if set(values) != set(names):
            raise ValueError(f"{what} {sorted(values)} given, the net's are {sorted(names)}")
        for name, value in values.items():
            blob = self.blobs[name]
            given = np.shape(value)
            if given[:1] != blob.shape[:1]:
                raise ValueError(
                    f"{name!r} is given with shape {given}, but its batch size is {blob.shape[:1]}"
                )
            (blob.diff if diff else blob.data)[...] = value


def _seen(layer: Layer, blobs: list[ParameterBlob]) -> LayerView | UserLayer:
    """What a script sees of a layer: of a Python layer, the object that does its work."""
    if isinstance(layer, Python | PythonSource):
        return layer.host.user
    return LayerView(layer.param.type, blobs)


def check_array(name: str, array: Floats, row: tuple[int, ...]) -> None:
    """Raise DataError for an array that is not C-contiguous float32, with rows of this shape."""
    if not isinstance(array, np.ndarray):
        raise DataError(f"{name} must be a numpy array; it is a {type(array).__name__}")
    if array.dtype != np.float32:
        raise DataError(f"{name} must be float32; they are {array.dtype}")
    if not array.flags.c_contiguous:
        raise DataError(f"{name} must be C contiguous; np.ascontiguousarray makes such an array")
    if array.shape[1:] != row:
        sizes = ", ".join(("n", *map(str, row)))
        raise DataError(f"{name} must be of shape ({sizes}); they are of {array.shape}")
