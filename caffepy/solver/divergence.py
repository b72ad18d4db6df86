"""What to tell when the loss is no number any more."""

from typing import NamedTuple

import torch
from torch import Tensor

from caffepy.net.net import Net
from caffepy.net.place import Place, go_to, place_of


class Moment(NamedTuple):
    """Where a run stood: its net, and torch's generator on the CPU."""

    place: Place
    rng: Tensor


def moment(net: Net) -> Moment:
    """Where the run of a net stands now; takes microseconds."""
    return Moment(place_of(net), torch.get_rng_state())


def diagnose(net: Net, since: Moment, batches: int, seed: int) -> str:
    """Where the first value that is not finite comes from, and what to do about it.

    Goes back to the moment before the batches that gave the loss, as many as `batches`, and runs
    them again. seed: of the net's data.
    """
    go_to(net, since.place, seed)
    torch.set_rng_state(since.rng)
    for _ in range(batches):
        tops = net.read()
        for name, top in tops.items():
            if not bool(torch.isfinite(top).all()):
                return f"blob {name!r} is not finite as it is read: look at the data"
        found = net.first_non_finite(tops)
        if found is not None:
            layer, blob = found
            return (
                f"the first blob that is not finite is {blob!r}, which layer {layer!r} makes; "
                "lower base_lr, or set clip_gradients"
            )
    return (
        "each blob was finite when the same batch ran once more; lower base_lr, or set "
        "clip_gradients"
    )


def last_good(iteration: int | None) -> str:
    """Where a training that went wrong can go on from: its last snapshot."""
    return (
        "no snapshot was written"
        if iteration is None
        else f"the last snapshot is that of iteration {iteration}"
    )
