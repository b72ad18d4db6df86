"""Data: labelled images from a database."""

import logging

from torch import Tensor

from caffepy.data.batches import Batches, Stream
from caffepy.data.database import Database, open_database
from caffepy.data.datum import decode, parse_datum
from caffepy.data.folder import find_backend
from caffepy.data.records import Records
from caffepy.data.transform import Transform
from caffepy.layers.layer import Shape, Source, SourceLayer, register
from caffepy.layers.prefetch import prefetch_depth
from caffepy.proto import DataParameter, LayerParameter

logger = logging.getLogger(__name__)


@register("Data")
class Data(SourceLayer):
    """Batches of a database's records, in the order of their keys, beginning again at its end.

    With `shuffle`, an extension, each epoch has its own order. It is drawn from the seed of the run,
    and a run that goes on sees what an unbroken one would have seen.

    Tops:    data (N, C, h, w), transformed as transform_param says; h and w are crop_size, or those
             of the batch's first record, which the others must share;
             label (N,), where a second top is named.
    Ranks:   in training, record r goes to rank r % world; else every rank reads all.
    Without `backend` the folder tells which kind of database it is. As in Caffe, `rand_skip` and
    `force_encoded_color` do nothing, which is logged.
    Source:  caffe/src/caffe/layers/data_layer.cpp
    """

    def __init__(self, param: LayerParameter, source: Source) -> None:
        super().__init__(param, source)
        data = param.data_param
        if not data.source:
            raise self.error("source, a database, is missing", "data_param.source")
        if not data.batch_size:
            raise self.error(
                "batch_size must be 1 or more; it is 0 or missing", "data_param.batch_size"
            )
        depth = prefetch_depth(self)
        self._transform = Transform(
            param.transform_param, source.training, source.device, self.full_name
        )
        seed = source.seed if data.shuffle else None
        records = Records(self._open(data), self._transform.color, seed)
        if data.shuffle:
            logger.info("Shuffling data")
        self._stream = Stream(records, source.seed, *source.share, source.position)
        self._batches = Batches(
            self._stream,
            self._transform,
            data.batch_size,
            0 if records.light(data.batch_size) else depth,
            source.workers,
        )
        for field in ("rand_skip", "force_encoded_color"):
            if data.HasField(field):
                logger.warning("%s: data_param.%s does nothing, as in Caffe", self.full_name, field)

    def _open(self, data: DataParameter) -> Database:
        found = find_backend(data.source)
        if data.HasField("backend") and data.backend != found:
            raise self.error(
                f"backend is {DataParameter.DB.Name(data.backend)}, but {data.source} is a "
                f"database of backend {DataParameter.DB.Name(found)}",
                "data_param.backend",
            )
        return open_database(data.source)

    @property
    def position(self) -> int:
        """How many records have been handed out, to all ranks together."""
        return self._batches.position

    def origin(self, item: int) -> str:
        """The record that an item of the last batch is."""
        return self._batches.origin(item)

    def read(self) -> tuple[Tensor, ...]:
        """The next batch, on `source.device`."""
        return self._batches.read()[: len(self.param.top)]

    def top_shapes(self, *_bottoms: Shape) -> list[Shape]:
        """The shapes of the next batch, from its first record."""
        record = next(self._stream.items())
        datum = parse_datum(record.value, record)
        color = self._transform.color
        if color is not None and not datum.encoded:
            logger.warning(
                "%s: force_color and force_gray do nothing to raw records", self.full_name
            )
        image = self._transform.window(decode(datum, color, record).shape, record)
        count = self.param.data_param.batch_size
        return [(count * self._transform.views, *image), (count,)][: len(self.param.top)]
