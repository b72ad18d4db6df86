import pytest
import torch

from caffepy.errors import NetError
from caffepy.net.place import Place, go_to, place_of
from tests.net.nets import net_of

TEXT = """
layer { name: "x" type: "Input" top: "x" top: "cont"
        input_param { shape { dim: 4 dim: 3 dim: 2 } shape { dim: 4 dim: 3 } } }
layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "h"
        recurrent_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "ip" type: "InnerProduct" bottom: "h" top: "ip" inner_product_param { num_output: 2 } }
"""
BATCH = {"x": torch.rand(4, 3, 2), "cont": torch.ones(4, 3)}


def test_a_place_has_what_layers_carry_on_and_not_their_blobs() -> None:
    net = net_of(TEXT)
    net(**BATCH)

    place = place_of(net)

    assert place.positions == {"x": 0}
    assert {name: set(state) for name, state in place.states.items()} == {"lstm": {"h", "c"}}
    assert place.states["lstm"]["h"].shape == (1, 3, 5)


def test_constants_are_no_state() -> None:
    net = net_of(TEXT)
    net.layers[2].register_buffer("table", torch.ones(2), persistent=False)

    assert set(place_of(net).states) == {"lstm"}


def test_from_a_place_the_same_follows_each_time() -> None:
    net = net_of(TEXT)
    net(**BATCH)
    place = place_of(net)
    after = net(**BATCH)["ip"]
    once = place_of(net).states["lstm"]["c"]

    for _ in range(2):
        go_to(net, place, 5)
        torch.testing.assert_close(net(**BATCH)["ip"], after)
        assert torch.equal(place_of(net).states["lstm"]["c"], once)


def test_layers_that_a_place_does_not_name_stay_as_they_are() -> None:
    net = net_of(TEXT)
    net(**BATCH)
    state = place_of(net).states["lstm"]["h"]

    go_to(net, Place({}, {"other": {"h": torch.zeros(1)}}), 5)

    assert torch.equal(place_of(net).states["lstm"]["h"], state)


def test_a_state_that_a_layer_does_not_keep_is_refused() -> None:
    with pytest.raises(NetError, match="layer 'lstm' keeps no 'm'"):
        go_to(net_of(TEXT), Place({}, {"lstm": {"m": torch.zeros(1)}}), 5)
