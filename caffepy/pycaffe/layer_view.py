"""What a script sees of a net's layer."""

from collections.abc import Sized
from dataclasses import dataclass

from caffepy.blob import ParameterBlob
from caffepy.layers.layer import Layer
from caffepy.layers.python import Layer as UserLayer
from caffepy.layers.python import Python, PythonSource
from caffepy.proto import LayerParameter


@dataclass(frozen=True)
class LayerView:
    """A layer of a Net: its type, its parameters as blobs, and the message that it was made of."""

    type: str
    blobs: list[ParameterBlob]
    layer_param: LayerParameter


def seen(layer: Layer, blobs: list[ParameterBlob]) -> LayerView | UserLayer:
    """What a script sees of a layer: of a Python layer, the object that does its work."""
    if isinstance(layer, Python | PythonSource):
        return layer.host.user
    return LayerView(layer.param.type, blobs, layer.param)


def check_span(layers: Sized, least: int, most: int) -> None:
    """Raise IndexError where there are no layers of these numbers; -1 is not the last."""
    if least < 0 or most >= len(layers):
        raise IndexError(f"no layers {least} to {most}: the net's are 0 to {len(layers) - 1}")
