"""Weights into a net and out of it: files of trained layers, matched by name."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffepy.errors import WeightsError
from caffepy.graph.graph import AUTOMATIC
from caffepy.layers.layer import Layer, Shape
from caffepy.net.net import Net
from caffepy.net.nvcaffe import Blobs, advice, arrange
from caffepy.net.weights_hdf5 import HDF5Layer, read_weights_hdf5
from caffepy.proto import LayerParameter, NetParameter
from caffepy.proto.arrays import fill_blob
from caffepy.proto.files import encode, is_hdf5, write_bytes
from caffepy.proto.weights import LayerWeights, read_weights

log = logging.getLogger(__name__)

Source = LayerWeights | HDF5Layer

_NAMED = 5  # how many layers a message names as examples


@dataclass(frozen=True)
class CopyReport:
    """What `copy_weights` did, as names of layers.

    copied: have their blobs from the file. ignored: are in the file and not in the net.
    kept: have blobs of their own, of which the file has none.
    """

    copied: tuple[str, ...]
    ignored: tuple[str, ...]
    kept: tuple[str, ...]


def copy_weights(net: Net, path: str | Path) -> CopyReport:
    """Copy the blobs of a .caffemodel or a .caffemodel.h5 into the layers of the same name.

    What the file is, is seen from its content. Layers of the file that the net does not have are
    logged and left out; a net has to share one layer with blobs at least. Everything is checked
    before anything is copied. Of several layers of one name, the net's first is meant.

    Caffe: Net::CopyTrainedLayersFrom in src/caffe/net.cpp.

    Raises:
        WeightsError: the file cannot be read, or its blobs do not fit; one line a problem.
    """
    source = read_layers(path)
    targets = {name: index for index, name in reversed(list(enumerate(net.layer_names)))}
    found = [(targets[layer.name], layer.blobs) for layer in source if layer.name in targets]
    fitted = [(index, arrange(blobs, _message(net, index))) for index, blobs in found]
    problems = [problem for index, blobs in fitted for problem in _misfits(net, index, blobs)]
    if problems:
        raise WeightsError("\n".join(f"{path}: {problem}" for problem in problems))
    filled = {index: blobs for index, blobs in fitted if blobs}
    owners = [index for index in range(len(net.layers)) if not all(net.blobs.shared(index))]
    if owners and not filled:
        raise WeightsError(_nothing_fits(net, path, source, owners))
    ignored = tuple(layer.name for layer in source if layer.name not in targets)
    for name in ignored:
        log.info("Ignoring source layer %s", name)
    for index, blobs in filled.items():
        _copy(blobs, net.blobs_of(index))
    return CopyReport(
        copied=tuple(net.layer_names[index] for index in sorted(filled)),
        ignored=ignored,
        kept=tuple(net.layer_names[index] for index in owners if index not in filled),
    )


def read_layers(path: str | Path) -> Sequence[Source]:
    """The layers of a .caffemodel or a .caffemodel.h5; WeightsError where it cannot be read."""
    return read_weights_hdf5(path) if is_hdf5(path) else read_weights(path)


def write_weights(net: Net, path: str | Path, *, diffs: bool = False) -> None:
    """Write every layer of a net, with its blobs, as a .caffemodel that any Caffe reads.

    Args:
        net: the net; layers that share a blob write it each.
        path: the file; written whole or not at all.
        diffs: write each blob's gradient beside it, zeros where there is none.

    Raises:
        SnapshotError: the file cannot be written.
    """
    write_bytes(path, binary_weights(net, path, diffs=diffs))


def binary_weights(net: Net, path: str | Path, *, diffs: bool = False) -> bytes:
    """The bytes that `write_weights` writes; errors name the file that they are for.

    SnapshotError where they would be more than protobuf's 2 GB.
    """
    message = NetParameter(name=net.graph.name)
    for index in range(len(net.layers)):
        param = message.layer.add()
        param.CopyFrom(_message(net, index))
        _leave_out_what_caffe_does(param)
        for blob, diff in zip(net.blobs_of(index), net.blobs.diffs_of(index), strict=True):
            fill_blob(param.blobs.add(), _array(blob), _diff(blob, diff) if diffs else None)
    return encode(message, path)


def _message(net: Net, index: int) -> LayerParameter:
    return cast("Layer", net.layers[index]).param


def _misfits(net: Net, index: int, blobs: Blobs) -> list[str]:
    """What keeps a layer's blobs in the file from the layer of its name.

    A blob that the file does not have may be missing where it is another layer's.
    """
    targets = net.blobs_of(index)
    name, place = net.layer_names[index], net.graph.nodes[index].position
    given = {number for number, blob in enumerate(blobs) if blob is not None}
    own = {number for number, shared in enumerate(net.blobs.shared(index)) if not shared}
    if not own <= given <= set(range(len(targets))):
        return [
            f"Incompatible number of blobs for layer {name}: {len(given)} in the "
            f"file, {len(targets)} in the net ({place}){advice(len(given), _message(net, index))}"
        ]
    return [
        f"Cannot copy param {number} of layer {name!r}, shape mismatch: "
        f"{_counted(blob.shape)} in the file, {_counted(target.shape)} in the net ({place}); "
        "to learn this layer anew, give it another name"
        for number, (blob, target) in enumerate(zip(blobs, targets, strict=False))
        if blob is not None and not _same_shape(blob.shape, tuple(target.shape))
    ]


def _same_shape(source: Shape, target: Shape) -> bool:
    """Equal, or equal as in old files, which have four axes, the first of them 1 where unused."""
    return source in (target, (1,) * (4 - len(target)) + target)


def _counted(shape: Sequence[int]) -> str:
    return f"{' '.join(map(str, shape))} ({np.prod(shape, dtype=int)})"


def _nothing_fits(net: Net, path: str | Path, source: Sequence[Source], owners: list[int]) -> str:
    theirs = [layer.name for layer in source if layer.blobs]
    ours = [net.layer_names[index] for index in owners]
    return (
        f"{path}: no layer of this file has the name of a layer of net {net.graph.name!r}; "
        f"the file has {_examples(theirs)}, the net {_examples(ours)}"
    )


def _examples(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:_NAMED]))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{shown}{more}" if names else "none with blobs"


@torch.no_grad()
def _copy(blobs: Blobs, targets: list[Tensor]) -> None:
    for blob, target in zip(blobs, targets, strict=False):
        if blob is not None:
            target.copy_(torch.from_numpy(blob.reshape(target.shape)))


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.numpy(force=True)
    return array


def _diff(blob: Tensor, diff: Tensor | None) -> NDArray[np.float32]:
    return _array(torch.zeros_like(blob) if diff is None else diff)


def _leave_out_what_caffe_does(param: LayerParameter) -> None:
    """Drop the blobs that the prototxt gave, and the tops that the graph gave to losses."""
    tops = [top for top in param.top if not top.startswith(AUTOMATIC)]
    del param.blobs[:], param.top[:]
    param.top.extend(tops)
