"""Settings of images that V1 layers have in data_param and the like: now in transform_param."""

from typing import cast

from google.protobuf.message import Message

from caffepy.graph.problem import Problem
from caffepy.graph.upgrade.entry import Entry, carry, copied
from caffepy.proto import NetParameter, V1LayerParameter
from caffepy.proto.position import Position

ATTEMPT = (
    "Attempting to upgrade input file specified using deprecated transformation parameters: %s"
)
DONE = "Successfully upgraded file specified using deprecated data transformation parameters."

FIELDS = ("scale", "mean_file", "crop_size", "mirror")
MESSAGES = {
    V1LayerParameter.DATA: "data_param",
    V1LayerParameter.IMAGE_DATA: "image_data_param",
    V1LayerParameter.WINDOW_DATA: "window_data_param",
}


def needed(net: NetParameter) -> bool:
    """Whether a V1 layer that reads images has any of these settings in its own message."""
    return any(
        getattr(layer, MESSAGES[layer.type]).HasField(field)
        for layer in net.layers
        if layer.type in MESSAGES
        for field in FIELDS
    )


def upgrade(net: Entry[NetParameter]) -> tuple[Entry[NetParameter], list[Problem]]:
    """Move the settings of all V1 layers that read images.

    Each of these layers has both messages afterwards, be they empty, as in Caffe.
    """
    new = NetParameter()
    new.CopyFrom(net.message)
    layers = [net.place("layers", index) for index in range(len(new.layers))]
    places = [_move(*pair) for pair in zip(new.layers, layers, strict=True)]
    return Entry(new, copied(net.position, layers=places)), []


def _move(layer: V1LayerParameter, position: Position) -> Position:
    """Change one layer; the place of it as changed."""
    if layer.type not in MESSAGES:
        return position
    old = cast("Message", getattr(layer, MESSAGES[layer.type]))
    old.SetInParent()
    layer.transform_param.SetInParent()
    entry = Entry(layer, position)
    source = Entry(old, entry.place(MESSAGES[layer.type]))
    position = copied(position)
    if "transform_param" in position.fields:
        position.fields["transform_param"] = [copied(entry.place("transform_param"))]
    for name in FIELDS:
        if old.HasField(name):
            carry(source, name, Entry(layer, position), "transform_param", name)
            old.ClearField(name)
    return position
