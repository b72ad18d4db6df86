"""Which record an item of a batch is, for messages."""

from collections.abc import Iterable
from types import TracebackType

from torch import nn

from caffepy.errors import LayerError
from caffepy.layers.labels import LabelError
from caffepy.layers.layer import SourceLayer
from caffepy.layers.split import Split

LABELS = 1  # the bottom that labels are, in all layers that check them


class NamedRecords:
    """While a net's layers run over the batch that they read last, name the record of a bad label."""

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        self._layers = layers

    def __enter__(self) -> None:
        """Begin to run layers."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raise LayerError in place of a label's error, where it is known whence the label is."""
        if isinstance(error, LabelError):
            where = record_of(list(self._layers), error)
            if where:
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
