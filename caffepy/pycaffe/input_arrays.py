"""A script's arrays into a net."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from torch import nn

from caffepy.blob import Floats
from caffepy.errors import DataError
from caffepy.layers.layer import Layer
from caffepy.layers.memory_data import MemoryData


def put(values: Mapping[str, ArrayLike], memory: Mapping[str, Floats], what: str) -> None:
    """Copy arrays into the memory of the same names.

    Raises:
        ValueError: arrays are missing, or there are others, or one does not fit; `what` is what
            they are called.
    """
    if set(values) != set(memory):
        raise ValueError(f"{what} {sorted(values)} given, the net's are {sorted(memory)}")
    for name, value in values.items():
        given, size = np.shape(value), memory[name].shape
        if given[:1] != size[:1]:
            raise ValueError(
                f"{name!r} is given with shape {given}, but its batch size is {size[:1]}"
            )
        try:
            memory[name][...] = value
        except ValueError as error:  # numpy's, which knows no name
            raise ValueError(
                f"{name!r} is given with shape {given}, but is of shape {size}: {error}"
            ) from error


def set_arrays(layer: nn.Module, data: Floats, labels: Floats) -> None:
    """Let a net's first layer hand out these rows from now on.

    Raises:
        DataError: the layer is no MemoryData, or the arrays are not as it takes them.
    """
    if not isinstance(layer, MemoryData):
        kind = layer.param.type if isinstance(layer, Layer) else type(layer).__name__
        raise DataError(
            "set_input_arrays may only be called if the first layer is a MemoryData layer; it "
            f"is of type {kind}"
        )
    check_array("data", data, layer.shape)
    check_array("labels", labels, () if np.ndim(labels) == 1 else (1, 1, 1))
    layer.reset(data, labels)


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
