"""Which record an item of a batch is, for messages."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn

from caffepy.errors import LayerError
from caffepy.layers.labels import LabelError
from caffepy.layers.layer import SourceLayer
from caffepy.layers.split import Split

LABELS = 1  # the bottom that labels are, in all layers that check them


@contextmanager
def records_named(layers: Iterable[nn.Module]) -> Iterator[None]:
    """While a net's layers run over the batch that they read last, name the record of a bad label."""
    try:
        yield
    except LabelError as error:
        where = record_of(list(layers), error)
        if not where:
            raise
        raise LayerError(f"{error}; it is of {where}") from error


def record_of(layers: list[nn.Module], error: LabelError) -> str:
    """The record that a label was read from; "" where a layer made the labels from others."""
    blob = error.layer.param.bottom[LABELS]
    above = layers[: layers.index(error.layer)]
    for layer in reversed(above):
        if isinstance(layer, SourceLayer) and blob in layer.param.top:
            return layer.origin(error.item)
        if isinstance(layer, Split) and blob in layer.param.top:
            blob = layer.param.bottom[0]
    return ""
