"""HDF5Output: what two blobs hold, written to a file."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from caffepy.data.hdf5_writer import HDF5Writer
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter

AXES = 4  # Caffe's files have them, as its blobs once had


@register("HDF5Output")
class HDF5Output(Layer):
    """Writes its bottoms to the datasets `data` and `label` of `file_name`, and gives no gradient.

    Each forward pass, in training and testing, appends its rows, as float32; the first one makes
    the file anew. Like Caffe's, a dataset has four axes at least: one of length 1 stands for each
    that a blob lacks.

    Bottoms: data (N, *row); label (N, *other). Their rows keep their shape from pass to pass.
    Top:     none.
    Source:  caffe/src/caffe/layers/hdf5_output_layer.cpp
    """

    def __init__(self, param: LayerParameter, *bottoms: Shape) -> None:
        super().__init__(param, *bottoms)
        name = param.hdf5_output_param.file_name
        if not name:
            raise self.error("file_name is missing", "hdf5_output_param.file_name")
        self._writer = HDF5Writer(name)

    def forward(self, data: Tensor, label: Tensor) -> None:
        data, label = stretched(data), stretched(label)
        if len(data) != len(label):
            raise self.error(
                f"{len(data)} rows of data and {len(label)} of labels; there must be as many",
                "bottom",
            )
        if not data.is_meta:
            self._writer.append(data=numbers(data), label=numbers(label))


def stretched(x: Tensor) -> Tensor:
    """A blob with four axes at least."""
    return x.reshape(*x.shape, *(1,) * (AXES - x.dim()))


def numbers(x: Tensor) -> NDArray[np.float32]:
    """A blob's numbers for a file, from whatever device and type."""
    return np.ascontiguousarray(x.detach().float().cpu().numpy())
