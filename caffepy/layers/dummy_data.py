"""DummyData: blobs made by fillers."""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from caffepy.layers.layer import Shape, Source, SourceLayer, register
from caffepy.proto import FillerParameter, LayerParameter

T = TypeVar("T")


@register("DummyData")
class DummyData(SourceLayer):
    """Tops that fillers make: those of constant fillers once, the others anew for each batch.

    Without `data_filler` they are 0. Batch i is drawn from the seed, the layer's name, the rank of
    the process and i, and from nothing else, so that a resumed run goes on as the first would have.

    Tops:    one or more, each of its own `shape` and `data_filler`, or all of the only one. Older
             files have `num`, `channels`, `height` and `width` for the shape.
    Source:  caffe/src/caffe/layers/dummy_data_layer.cpp
    """

    def __init__(self, param: LayerParameter, source: Source) -> None:
        super().__init__(param, source)
        dummy = param.dummy_data_param
        self.shapes = self._read_shapes()
        fillers = dummy.data_filler or [FillerParameter()]
        self.fillers = self._one_a_top(fillers, "data_filler")
        self._position = source.position
        with self._randomness():
            tops = [
                self._fill(top) for top in range(len(param.top))
            ]  # finds what is wrong with them
        self._constants = tuple(
            top if filler.type == "constant" else None
            for top, filler in zip(tops, self.fillers, strict=True)
        )

    def _read_shapes(self) -> list[Shape]:
        dummy = self.param.dummy_data_param
        sides = {
            "num": dummy.num,
            "channels": dummy.channels,
            "height": dummy.height,
            "width": dummy.width,
        }
        legacy = [name for name, sizes in sides.items() if sizes]
        if not legacy:
            shapes = [tuple(shape.dim) for shape in dummy.shape]
            for shape in shapes:
                if any(size < 0 for size in shape):
                    raise self.error(f"shape {shape} has a negative size", "dummy_data_param.shape")
            return self._one_a_top(shapes, "shape")
        if dummy.shape:
            text = f"shape and {' and '.join(legacy)} are both set: give one or the other"
            raise self.error(text, f"dummy_data_param.{legacy[0]}")
        sizes = [self._one_a_top(given, name) for name, given in sides.items()]
        return list(zip(*sizes, strict=True))

    def _one_a_top(self, given: Sequence[T], field: str) -> list[T]:
        count = len(self.param.top)
        if len(given) not in {1, count}:
            text = f"{field} is given {len(given)} times for {count} tops: must be once for all of"
            raise self.error(f"{text} them, or once for each", f"dummy_data_param.{field}")
        return list(given) * count if len(given) == 1 else list(given)

    @property
    def position(self) -> int:
        """How many batches this process has made, an earlier run's included."""
        return self._position

    def read(self) -> tuple[Tensor, ...]:
        """The next batch, on `source.device`; constant tops are the same tensors each time."""
        with self._randomness():
            batch = tuple(
                self._fill(top) if constant is None else constant
                for top, constant in enumerate(self._constants)
            )
        self._position += 1
        return batch

    def constants(self) -> tuple[Tensor | None, ...]:
        """By top, what a constant filler made."""
        return self._constants

    def top_shapes(self, *_bottoms: Shape) -> list[Shape]:
        """The shapes of the tops, from the message."""
        return self.shapes

    def _fill(self, top: int) -> Tensor:
        made = self.filled(self.fillers[top], self.shapes[top], "dummy_data_param.data_filler")
        return made.detach().to(self.source.device)

    @contextmanager
    def _randomness(self) -> Iterator[None]:
        """torch's global generator, from which fillers draw, lent to the batch at `position`."""
        source, name = self.source, zlib.crc32(self.param.name.encode())
        drawn_from = (source.seed % 2**64, name, source.rank, self._position)
        seed = int(np.random.default_rng(drawn_from).integers(2**63))
        with torch.random.fork_rng(devices=()):
            torch.default_generator.manual_seed(seed)
            yield
