"""Weights in HDF5, .caffemodel.h5, as Caffe's snapshots have them: /data/<layer>/<index>."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from caffepy.data.hdf5 import hdf5_bytes, open_hdf5
from caffepy.errors import SnapshotError, WeightsError
from caffepy.net.net import Net

if TYPE_CHECKING:
    import h5py


class HDF5Layer(NamedTuple):
    """One layer of a file; None where it shares a blob, which the file has with its owner alone."""

    name: str
    blobs: list[NDArray[np.float32] | None]


def read_weights_hdf5(path: str | Path) -> list[HDF5Layer]:
    """Read every layer of a .caffemodel.h5, those without blobs as well, in alphabetical order.

    A name with slashes, which Caffe fails to write, is that of a group in a group.

    Raises:
        WeightsError: a file that cannot be read, or is something else; h5py is not installed.
    """
    with open_hdf5(path, WeightsError) as file:
        import h5py

        data = file.get("data")
        if not isinstance(data, h5py.Group):
            raise WeightsError(f"{path} is no .caffemodel.h5: {_what_it_is(file)}")
        return list(_layers(path, data, ""))


def hdf5_weights(net: Net, path: str | Path, *, diffs: bool = False) -> bytes:
    """The bytes of a .caffemodel.h5 with every layer of a net, as Caffe reads and writes them.

    A blob that layers share is in the file once, with the first of them; its diff with each.

    Args:
        net: the net; `check_names` has nothing against it.
        path: the file that they are for, which errors name.
        diffs: write each blob's gradient too, zeros where there is none.

    Raises:
        SnapshotError: h5py is not installed.
    """

    def fill(file: "h5py.File") -> None:
        file.create_group("data")
        if diffs:
            file.create_group("diff")
        for index, name in enumerate(net.layer_names):
            layer = file.require_group(f"data/{name}")
            pairs = zip(net.blobs_of(index), net.blobs.shared(index), strict=True)
            for number, (blob, shared) in enumerate(pairs):
                if not shared:
                    layer[str(number)] = blob.numpy(force=True)
            if diffs:
                _add_diffs(file.require_group(f"diff/{name}"), net, index)

    return hdf5_bytes(path, fill, SnapshotError)


def check_names(net: Net) -> None:
    """Raise SnapshotError for layers whose names HDF5 cannot tell apart, or cannot have.

    In HDF5 a slash leads into a group inside, where a digit is a blob.
    """
    counts = Counter(net.layer_names)
    datasets = {
        f"{name}/{number}"
        for index, name in enumerate(net.layer_names)
        for number in range(len(net.blobs_of(index)))
    }
    for name, count in counts.items():
        inside = {name[:at] for at in range(len(name)) if name[at] == "/"} | {name}
        if count > 1:
            problem = f"{count} layers have this name"
        elif {"", "."} & set(name.split("/")) or "\0" in name:
            problem = "no part of it between slashes may be empty or a dot"
        elif inside & datasets:
            problem = f"that is where the blob {(inside & datasets).pop()!r} is"
        else:
            continue
        raise SnapshotError(
            f"layer {name!r}: its name cannot be written with snapshot_format HDF5: {problem}; "
            "give the layer another, or set snapshot_format: BINARYPROTO"
        )


def _add_diffs(layer: "h5py.Group", net: Net, index: int) -> None:
    pairs = zip(net.blobs_of(index), net.blobs.diffs_of(index), strict=True)
    for number, (blob, diff) in enumerate(pairs):
        shape = tuple(blob.shape)
        layer[str(number)] = np.zeros(shape, np.float32) if diff is None else diff.numpy(force=True)


def _what_it_is(file: "h5py.File") -> str:
    if {"iter", "history", "learned_net"} <= set(file):
        return "it is a solverstate; the weights that belong to it are in a file beside it"
    return f"it has no group 'data', only {', '.join(map(repr, file)) or 'nothing'}"


def _layers(path: str | Path, group: "h5py.Group", layer: str) -> Iterator[HDF5Layer]:
    """The layer that a group is, unless it holds nothing but groups, and those inside."""
    import h5py

    blobs: dict[int, NDArray[np.float32]] = {}
    groups: dict[str, h5py.Group] = {}
    for name, item in group.items():
        if isinstance(item, h5py.Group):
            groups[f"{layer}/{name}" if layer else name] = item
        elif layer and name.isdecimal() and item.dtype.kind == "f":
            blobs[int(name)] = _read(item)
        else:
            raise WeightsError(f"{path}: {item.name} is no blob: blobs are floats, /data/layer/0")
    if layer and (blobs or not groups):
        indices = range(max(blobs, default=-1) + 1)
        yield HDF5Layer(layer, [blobs.get(index) for index in indices])
    for name, inner in groups.items():
        yield from _layers(path, inner, name)


def _read(dataset: "h5py.Dataset") -> NDArray[np.float32]:
    """A dataset as float32, converted while it is read."""
    data = np.empty(dataset.shape, np.float32)
    dataset.read_direct(data)
    return data
