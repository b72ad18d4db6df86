"""Where a net stands in its run: what it has read, and what its layers carry on."""

from typing import NamedTuple

from torch import Tensor, nn

from caffepy.errors import NetError
from caffepy.layers.layer import Layer
from caffepy.net.net import Net


class Place(NamedTuple):
    """What must be put back for a net to run the batches again that it has run since.

    positions: how many records each layer without bottoms has handed out. states: what layers
    carry from batch to batch besides their blobs, such as an LSTM its h and c. By layer name.
    """

    positions: dict[str, int]
    states: dict[str, dict[str, Tensor]]


def place_of(net: Net) -> Place:
    """Where a net stands now; takes microseconds."""
    states = {net.layer_names[index]: _state(net.layers[index]) for index in net.stateful}
    return Place(net.positions(), states)


def go_to(net: Net, place: Place, seed: int) -> None:
    """Put a net where `place_of` saw it, its data drawn from `seed`.

    Layers that the place does not name stay as they are. Raises NetError where it has a state that
    a layer does not keep.
    """
    net.seek(place.positions, seed)
    for layer, step in net.plan():
        for name, value in place.states.get(step.name, {}).items():
            _put(layer, name, value)


def _state(layer: nn.Module) -> dict[str, Tensor]:
    """Copies of a layer's persistent buffers."""
    persistent = layer.state_dict().keys()
    return {n: tensor.clone() for n, tensor in layer.named_buffers() if n in persistent}


def _put(layer: Layer, name: str, value: Tensor) -> None:
    buffers = dict(layer.named_buffers())
    if name not in buffers:
        raise NetError(f"layer {layer.param.name!r} keeps no {name!r}: it is the state of another")
    module, _, attribute = name.rpartition(".")
    setattr(layer.get_submodule(module), attribute, value.to(buffers[name], copy=True))
