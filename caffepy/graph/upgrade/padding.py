"""V0's padding layers, whose job the layers that they pad have taken over."""

from collections.abc import Iterable, Iterator

from caffepy.graph.problem import Problem
from caffepy.graph.upgrade.entry import Entry, copied
from caffepy.proto import V1LayerParameter

V0Entry = Entry[V1LayerParameter]

PADDED = ("conv", "pool")


def merge_padding(layers: Iterable[V0Entry]) -> tuple[list[V0Entry], list[Problem]]:
    """The layers without those that pad, whose `pad` and bottom the layers after them have.

    The problems are errors: a padding layer where Caffe leaves undefined what it would do.
    """
    makers: dict[str, V0Entry] = {}
    kept: list[V0Entry] = []
    problems: list[Problem] = []
    for layer in layers:
        message = layer.message
        padding = [
            maker for maker in map(makers.get, message.bottom) if maker and _is_padding(maker)
        ]
        found = [problem for maker in padding for problem in _misuse(layer, maker)]
        problems += found
        if not _is_padding(layer):
            kept.append(_padded(layer, padding[0]) if padding and not found else layer)
        makers.update(dict.fromkeys(message.top, layer))
    return kept, problems


def _is_padding(layer: V0Entry) -> bool:
    return layer.message.layer.type == "padding"


def _misuse(layer: V0Entry, padding: V0Entry) -> Iterator[Problem]:
    """What forbids that a layer takes over the padding before it."""
    name, kind = layer.message.layer.name, layer.message.layer.type
    source = f"padding layer {padding.message.layer.name!r}"
    if kind not in PADDED:
        text = f"layer {name!r} of type {kind!r} reads {source}, which {' or '.join(PADDED)} may"
        yield layer.error(text, "bottom")
    if len(layer.message.bottom) != 1:
        text = f"layer {name!r} has {len(layer.message.bottom)} bottoms, one of them of {source}"
        yield layer.error(f"{text}; it may have that one only", "bottom")
    ends = len(padding.message.bottom), len(padding.message.top)
    if ends != (1, 1):
        yield padding.error(
            f"{source} has {ends[0]} bottoms and {ends[1]} tops, must have 1 of each"
        )


def _padded(layer: V0Entry, padding: V0Entry) -> V0Entry:
    """A layer that reads what the padding layer reads, and pads it by itself."""
    message = V1LayerParameter()
    message.CopyFrom(layer.message)
    message.bottom[0] = padding.message.bottom[0]
    message.layer.pad = padding.message.layer.pad
    pad = Entry(padding.message.layer, padding.place("layer"))
    inner = copied(layer.place("layer"), pad=[pad.place("pad")])
    place = copied(layer.position, layer=[inner], bottom=[padding.place("bottom")])
    return Entry(message, place)
