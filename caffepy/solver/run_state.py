"""What Caffe does not keep of a run, and it needs to go on as if it had never stopped."""

import logging
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from caffepy.net.net import Net
from caffepy.net.place import Place, go_to
from caffepy.proto import LayerState, NamedBlob, NetPositions, RunState, SourcePosition
from caffepy.proto.arrays import to_array, to_blob
from caffepy.solver.plateau import Plateau, keep_plateau

log = logging.getLogger(__name__)


def capture(
    places: Sequence[Place],
    losses: Iterable[float],
    plateau: Plateau,
    seed: int,
    device: torch.device,
) -> RunState:
    """Where a run stands, besides its parameters and their history.

    places: of the train net, then one a test net.
    """
    train, *tests = map(_listed, places)
    run = RunState(
        random_seed=seed,
        rng_state=torch.get_rng_state().numpy().tobytes(),
        losses=losses,
        train_position=train.position,
        layer_state=train.layer_state,
        test_positions=tests,
    )
    if device.type == "cuda":
        run.device_rng_state = torch.cuda.get_rng_state(device).numpy().tobytes()
    keep_plateau(plateau, run)
    return run


def recall(run: RunState, net: Net, test_nets: Sequence[Net], device: torch.device) -> None:
    """Put the data, what layers carry and the generators back where `capture` saw them."""
    train = NetPositions(position=run.train_position, layer_state=run.layer_state)
    go_to(net, _place(train), run.random_seed)
    if len(run.test_positions) == len(test_nets):
        for test_net, listed in zip(test_nets, run.test_positions, strict=True):
            go_to(test_net, _place(listed), run.random_seed)
    else:
        log.warning(
            "The snapshot is of %d test nets: test data starts over", len(run.test_positions)
        )
    torch.set_rng_state(_state(run.rng_state))
    if device.type == "cuda" and run.HasField("device_rng_state"):
        torch.cuda.set_rng_state(_state(run.device_rng_state), device)
    elif device.type == "cuda" or run.HasField("device_rng_state"):
        log.warning("The snapshot is of another kind of device: what is random is drawn anew")


def _listed(place: Place) -> NetPositions:
    return NetPositions(
        position=[
            SourcePosition(layer=name, position=read) for name, read in place.positions.items()
        ],
        layer_state=[
            LayerState(
                layer=layer,
                buffer=[
                    NamedBlob(name=name, blob=to_blob(value.cpu().numpy()))
                    for name, value in state.items()
                ],
            )
            for layer, state in place.states.items()
        ],
    )


def _place(listed: NetPositions) -> Place:
    positions = {entry.layer: entry.position for entry in listed.position}
    states = {
        entry.layer: {item.name: torch.from_numpy(to_array(item.blob)) for item in entry.buffer}
        for entry in listed.layer_state
    }
    return Place(positions, states)


def _state(stored: bytes) -> Tensor:
    return torch.frombuffer(bytearray(stored), dtype=torch.uint8)
