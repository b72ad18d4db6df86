"""HDF5Data: batches of rows of HDF5 files."""

from torch import Tensor

from caffepy.data.hdf5 import HDF5Rows
from caffepy.layers.layer import Shape, Source, SourceLayer, register
from caffepy.proto import LayerParameter


@register("HDF5Data")
class HDF5Data(SourceLayer):
    """The next `batch_size` rows of the HDF5 files in the list `source`, without end.

    Batches run on over the ends of files and epochs. With `shuffle`, each epoch has its own order of
    files and of rows in a file.

    Tops:    one or more, each (batch_size, *row), the rows of the dataset of the top's name.
    Ranks:   in training, row r goes to rank r % world; else every rank reads all.
    Source:  caffe/src/caffe/layers/hdf5_data_layer.cpp
    """

    def __init__(self, param: LayerParameter, source: Source) -> None:
        super().__init__(param, source)
        hdf5 = param.hdf5_data_param
        if param.HasField("transform_param"):
            raise self.error("HDF5 data is not transformed; leave this out", "transform_param")
        if not hdf5.source:
            raise self.error("source, a list of HDF5 files, is missing", "hdf5_data_param.source")
        if not hdf5.batch_size:
            raise self.error(
                "batch_size must be 1 or more; it is 0 or missing", "hdf5_data_param.batch_size"
            )
        self.batch_size = hdf5.batch_size
        self.rows = HDF5Rows(hdf5.source, list(param.top), shuffle=hdf5.shuffle, seed=source.seed)
        self._position = source.position

    @property
    def position(self) -> int:
        """How many rows have been handed out, to all ranks together."""
        return self._position

    def read(self) -> tuple[Tensor, ...]:
        rank, world = self.source.share
        batch = self.rows.batch(self._position + rank, self.batch_size, world)
        self._position += self.batch_size * world
        return tuple(top.to(self.source.device) for top in batch)

    def top_shapes(self, *_bottoms: Shape) -> list[Shape]:
        """The shapes of the tops, from the files."""
        return [(self.batch_size, *row) for row in self.rows.shapes]
