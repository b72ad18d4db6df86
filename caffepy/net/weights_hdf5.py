"""Weights in HDF5, .caffemodel.h5, as Caffe's snapshots have them: /data/<layer>/<index>."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from caffepy.data.hdf5 import open_hdf5
from caffepy.errors import WeightsError

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
            raise WeightsError(
                f"{path} is no .caffemodel.h5: it has no group 'data', only "
                f"{', '.join(map(repr, file)) or 'nothing'}"
            )
        return list(_layers(path, data, ""))


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
