"""MemoryData: images and labels that a program gives."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from caffepy.data.batches import Sample, stack
from caffepy.data.datum import Planes
from caffepy.data.memory import Memory
from caffepy.data.transform import Transform
from caffepy.errors import DataError
from caffepy.layers.layer import Shape, Source, SourceLayer, register
from caffepy.proto import LayerParameter

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]


@register("MemoryData")
class MemoryData(SourceLayer):
    """Batches of what `reset` or `add` was given last, beginning again at its end.

    Tops:    data (batch_size, channels, height, width);
             label (batch_size, 1, 1, 1), but (batch_size,) before the first batch, as in Caffe.
    Source:  caffe/src/caffe/layers/memory_data_layer.cpp
    """

    def __init__(self, param: LayerParameter, source: Source) -> None:
        super().__init__(param, source)
        memory = param.memory_data_param
        sizes = {
            "batch_size": memory.batch_size,
            "channels": memory.channels,
            "height": memory.height,
            "width": memory.width,
        }
        for field, size in sizes.items():
            if not size:
                raise self.error(
                    f"{field} must be 1 or more; it is 0 or missing", f"memory_data_param.{field}"
                )
        self.batch_size = memory.batch_size
        self.shape = (memory.channels, memory.height, memory.width)
        self._transform = Transform(
            param.transform_param, source.training, torch.device("cpu"), self.full_name
        )
        self._data = np.empty((0, *self.shape), np.float32)
        self._labels = np.empty(0, np.float32)
        self._position = source.position
        self._added = 0
        self._pending = False

    def reset(self, data: ArrayLike, labels: ArrayLike) -> None:
        """Hand out these rows from now on, as they are, without transform_param.

        data: (n, channels, height, width), n a multiple of batch_size; labels: one for each. Arrays
        of float32 are not copied: what is written into them later counts.

        DataError for other shapes.
        """
        rows, targets = np.asarray(data, np.float32), np.asarray(labels, np.float32)
        if rows.ndim == 0 or rows.shape[1:] != self.shape:
            raise DataError(
                f"{self.full_name}: data of shape {rows.shape}; (n, {', '.join(map(str, self.shape))}) "
                "is allowed"
            )
        if targets.shape[:1] != rows.shape[:1] or targets.size != len(rows):
            raise DataError(
                f"{self.full_name}: labels of shape {targets.shape} for {len(rows)} rows of data; "
                "give one label a row"
            )
        self._check_count(len(rows))
        if self.param.HasField("transform_param"):
            logger.warning("%s does not transform array data on Reset()", self.full_name)
        self._hold(rows, targets)

    def add(self, images: Sequence[Planes], labels: Sequence[int]) -> None:
        """Hand out these images from now on, transformed as transform_param says.

        images: (channels, h, w) each, uint8 or float32, blue first, as many as a multiple of
        batch_size; a crop_size must leave (channels, height, width) of each. labels: one for each.

        DataError for other sizes or numbers, and while images added before are still to be read.
        """
        if self._pending:
            raise DataError(
                f"{self.full_name}: the images added before are still to be read, "
                f"{len(self._data) - self._position % len(self._data)} of {len(self._data)}"
            )
        if len(images) != len(labels):
            raise DataError(f"{self.full_name}: {len(labels)} labels for {len(images)} images")
        self._check_count(len(images))
        samples = [
            Sample(image, label, f"image {index}")
            for index, (image, label) in enumerate(zip(images, labels, strict=True))
        ]
        for sample in samples:
            left = self._transform.window(sample.image.shape, sample.where)
            if left != self.shape:
                raise DataError(
                    f"{self.full_name}: {sample.where} is of shape {sample.image.shape}, which "
                    f"leaves {left}; memory_data_param says {self.shape}"
                )
        numbers = np.arange(self._added, self._added + len(samples), dtype=np.uint64)
        batch = stack(samples, self._transform, self.source.seed, numbers, Memory())
        self._added += len(samples)
        self._hold(batch.pixels.numpy(), batch.labels.numpy())
        self._pending = True

    def _check_count(self, count: int) -> None:
        if not count or count % self.batch_size:
            raise DataError(
                f"{self.full_name}: {count} rows; a multiple of batch_size, which is "
                f"{self.batch_size}, is allowed"
            )

    def _hold(self, data: Floats, labels: Floats) -> None:
        self._data, self._labels = data, labels.reshape(-1)
        self._position = 0
        self._pending = False

    @property
    def position(self) -> int:
        """How many rows have been handed out of those that were given last."""
        return self._position

    def moved(self, position: int, seed: int) -> SourceLayer:
        """This layer, which keeps what it was given."""
        self.source = replace(self.source, seed=seed)
        self._position = position
        return self

    def read(self) -> tuple[Tensor, ...]:
        """The next batch, on `source.device`; DataError before anything was given."""
        if not len(self._data):
            raise DataError(
                f"{self.full_name}: nothing to read: it hands out what its methods reset or add, "
                "or set_input_arrays of pycaffe's Net, are given first"
            )
        first = self._position % len(self._data)
        part = slice(first, first + self.batch_size)
        self._position += self.batch_size
        self._pending &= self._position % len(self._data) != 0
        return (
            torch.tensor(self._data[part], device=self.source.device),
            torch.tensor(self._labels[part], device=self.source.device).reshape(-1, 1, 1, 1),
        )

    def top_shapes(self, *_bottoms: Shape) -> list[Shape]:
        """The shapes of the tops, from the message."""
        return [(self.batch_size, *self.shape), (self.batch_size,)]
