"""What a script sees of a net's layer."""

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
