"""pycaffe's Net: named blobs that a script reads and writes between passes."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Self

from numpy.typing import ArrayLike

from caffepy.blob import Blob, Floats
from caffepy.errors import near
from caffepy.net.stepwise import Hook, StepwiseNet
from caffepy.net.weights import copy_weights, write_weights
from caffepy.net.weights_hdf5 import check_names, hdf5_weights
from caffepy.proto.files import write_bytes
from caffepy.pycaffe.batches import Items, batches, count_of, joined
from caffepy.pycaffe.forked import let_children_run
from caffepy.pycaffe.input_arrays import put, set_arrays
from caffepy.pycaffe.layer_view import check_span, seen
from caffepy.pycaffe.net_file import read_net
from caffepy.pycaffe.raised import raising_theirs

File = str | Path


class Net:
    """A net read from a prototxt: Net(file, phase), or, as older scripts have it, with weights too.

    name: the prototxt's, or whatever a script puts there. blobs: every blob by name; params: the
    parameters of each layer that has any, by layer name; layers: in file order, a Python layer as
    the object of its class; layer_dict: by name. inputs: the tops of Input layers; outputs: the blobs that no layer reads, sorted. top_names,
    bottom_names: by layer name. blob_loss_weights: by blob name, mostly 0. Blobs' data and diff are
    float32 numpy views, live and writable.

    Args:
        network_file: the prototxt.
        phase: caffe.TRAIN or caffe.TEST.
        level, stages: of the state that layers with rules are chosen by.
        weights: a .caffemodel or .caffemodel.h5.

    Raises:
        CaffeError: a file is wrong; the message says where.
        TypeError, ValueError: an argument is.
    """

    @raising_theirs
    def __init__(
        self,
        network_file: File,
        phase: int | File,
        level: int | None = None,
        stages: Sequence[str] | None = None,
        weights: File | None = None,
    ) -> None:
        if isinstance(phase, str | Path):  # Net(file, weights, phase)
            if level is None or weights is not None:
                raise TypeError(f"{phase!r} is no phase: Net(file, phase, weights=...)")
            weights, phase, level = phase, level, 0
        self._wrap(read_net(network_file, phase, level or 0, stages))
        if weights is not None:
            self.copy_from(weights)

    @classmethod
    def around(cls, net: StepwiseNet) -> Self:
        """The same view of a net that is built already, such as a solver's."""
        view = cls.__new__(cls)
        view._wrap(net)
        return view

    def _wrap(self, net: StepwiseNet) -> None:
        let_children_run()
        self._net = net
        self.name = net.name
        self._layer_names = list(net.layer_names)
        self.layers = [
            seen(layer, blobs)
            for (layer, _), blobs in zip(net.plan(), net.parameter_blobs, strict=True)
        ]
        self.layer_dict = OrderedDict(zip(self._layer_names, self.layers, strict=True))
        self.blobs: OrderedDict[str, Blob] = OrderedDict(net.storage)
        self._blob_names, self._blobs = list(self.blobs), list(self.blobs.values())
        self._blob_loss_weights = [net.loss_weights.get(name, 0.0) for name in self._blob_names]
        self.blob_loss_weights = OrderedDict(
            zip(self._blob_names, self._blob_loss_weights, strict=True)
        )
        self.params = OrderedDict(
            (name, blobs)
            for name, blobs in zip(self._layer_names, net.parameter_blobs, strict=True)
            if blobs
        )
        self.inputs, self.outputs = list(net.inputs), list(net.outputs)
        self._inputs = [self._blob_names.index(name) for name in self.inputs]
        self._outputs = [self._blob_names.index(name) for name in self.outputs]
        self.top_names = OrderedDict((step.name, list(step.tops)) for step in net.steps)
        self.bottom_names = OrderedDict((step.name, list(step.bottoms)) for step in net.steps)

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
            KeyError: there is no such blob.
            ValueError: there is no such layer, or inputs are missing or of another size.
            CaffeError: a layer cannot take what is in its bottoms.
        """
        first = 0 if start is None else self._index(start)
        last = len(self.layers) - 1 if end is None else self._index(end)
        wanted = self._named(self.outputs if end is None else self.top_names[end], blobs)
        if inputs:
            put(inputs, {name: self.blobs[name].data for name in self.inputs}, "inputs")
        self._forward(first, last)
        return {name: blob.data for name, blob in wanted.items()}

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
            KeyError, ValueError: as `forward` does.
        """
        first = len(self.layers) - 1 if start is None else self._index(start)
        last = 0 if end is None else self._index(end)
        wanted = self._named(self.inputs if end is None else self.bottom_names[end], diffs)
        if tops:
            put(tops, {name: self.blobs[name].diff for name in self.outputs}, "outputs")
        self._backward(first, last)
        return {name: blob.diff for name, blob in wanted.items()}

    def forward_all(
        self, blobs: Sequence[str] | None = None, **inputs: ArrayLike
    ) -> dict[str, Floats]:
        """Run any number of items through the net, in batches of its own size.

        Args:
            blobs: blobs to return besides the outputs.
            **inputs: the items of each input, by name.

        Returns:
            By name, the data of the outputs and of `blobs` for all items, copied.
        """
        parts: dict[str, list[Floats]] = defaultdict(list)
        for batch in self._batch(inputs):
            for name, data in self.forward(blobs, None, None, **batch).items():
                parts[name].append(data.copy())
        return joined(parts, count_of(inputs))

    def forward_backward_all(
        self,
        blobs: Sequence[str] | None = None,
        diffs: Sequence[str] | None = None,
        **arrays: ArrayLike,
    ) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Run any number of items through the net and back, in batches of its own size.

        Args:
            blobs: blobs whose data to return besides that of the outputs.
            diffs: blobs whose diffs to return besides those of the inputs.
            **arrays: the items of each input and the diffs of each output, by name.

        Returns:
            The data of the outputs and of `blobs`, and the diffs of the inputs and of `diffs`, for
            all items, by name, copied.
        """
        data: dict[str, list[Floats]] = defaultdict(list)
        gradients: dict[str, list[Floats]] = defaultdict(list)
        items = self._batch({name: arrays[name] for name in self.inputs if name in arrays})
        tops = self._batch({name: arrays[name] for name in self.outputs if name in arrays})
        nothing: dict[str, Items] = {}
        for batch, batch_diffs in zip_longest(items, tops, fillvalue=nothing):
            for name, array in self.forward(blobs, None, None, **batch).items():
                data[name].append(array.copy())
            for name, array in self.backward(diffs, None, None, **batch_diffs).items():
                gradients[name].append(array.copy())
        return joined(data, count_of(arrays)), joined(gradients, count_of(arrays))

    @raising_theirs
    def reshape(self) -> None:
        """Let every blob follow the shapes that the inputs have been given."""
        self._net.reshape()

    def clear_param_diffs(self) -> None:
        """Set the diffs of all parameters to zero."""
        self._net.zero_diffs()

    def copy_from(self, weights: File) -> None:
        """Copy the parameters of a .caffemodel or .caffemodel.h5, by layer name."""
        copy_weights(self._net, weights)

    load_hdf5 = copy_from

    def save(self, path: File) -> None:
        """Write the net with its parameters as a .caffemodel."""
        write_weights(self._net, path)

    def save_hdf5(self, path: File) -> None:
        """Write the parameters as a .caffemodel.h5."""
        check_names(self._net)
        write_bytes(path, hdf5_weights(self._net, path))

    def share_with(self, other: "Net") -> None:
        """Take the other net's parameters, by layer name: what changes there changes here."""
        if not isinstance(other, Net):
            raise TypeError(f"parameters are shared with a Net; {other!r} is none")
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
        set_arrays(self._net.layers[0], data, labels)

    def before_forward(self, call: Hook) -> None:
        """Call this with the number of each layer before it runs, from now on."""
        self._net.hooks.before_forward.append(call)

    def after_forward(self, call: Hook) -> None:
        """Call this with the number of each layer after it ran, from now on."""
        self._net.hooks.after_forward.append(call)

    def before_backward(self, call: Hook) -> None:
        """Call this with the number of each layer before it runs backwards, from now on."""
        self._net.hooks.before_backward.append(call)

    def after_backward(self, call: Hook) -> None:
        """Call this with the number of each layer after it ran backwards, from now on."""
        self._net.hooks.after_backward.append(call)

    @raising_theirs
    def _forward(self, start: int, end: int) -> float:
        """Run the layers from one number to another, both included; their part of the objective."""
        check_span(self.layers, start, end)
        return self._net.run(start, end)

    @raising_theirs
    def _backward(self, start: int, end: int) -> None:
        """Run the layers from one number down to another, both included, backwards."""
        check_span(self.layers, end, start)
        self._net.run_back(start, end)

    def _top_ids(self, layer: int) -> list[int]:
        """The numbers of the blobs that a layer writes."""
        check_span(self.layers, layer, layer)
        return [self._blob_names.index(name) for name in self._net.steps[layer].tops]

    def _bottom_ids(self, layer: int) -> list[int]:
        """The numbers of the blobs that a layer reads."""
        check_span(self.layers, layer, layer)
        return [self._blob_names.index(name) for name in self._net.steps[layer].bottoms]

    def _batch(self, blobs: Mapping[str, ArrayLike]) -> Iterator[dict[str, Items]]:
        """The items of each blob in batches as the net's first blob has them."""
        return batches(blobs, self._blobs[0].shape[0])

    def _index(self, layer: str) -> int:
        if layer not in self._layer_names:
            raise ValueError(f"no layer {layer!r}{near(layer, self._layer_names)}")
        return self._layer_names.index(layer)

    def _named(self, names: Sequence[str], more: Sequence[str] | None) -> dict[str, Blob]:
        for name in more or ():
            if name not in self.blobs:
                raise KeyError(f"no blob {name!r}{near(name, self.blobs)}")
        return {name: self.blobs[name] for name in (*names, *(more or ()))}
