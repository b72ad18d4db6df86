import pytest

from caffepy.graph.upgrade.entry import layers_of
from caffepy.graph.upgrade.padding import merge_padding
from caffepy.proto import NetParameter
from tests.graph.upgrade.old import net

DATA = "layers { layer { name: 'd' type: 'data' } top: 'x' }\n"
PAD = "layers { layer { name: 'p' type: 'padding' pad: 2 } bottom: 'x' top: 'p' }\n"


def merged(text: str) -> tuple[NetParameter, list[str], list[str]]:
    """The net of the layers that are kept, where pad and bottom of the last are, the problems."""
    kept, problems = merge_padding(layers_of(net(text)))
    last = kept[-1].position
    places = [str(last.at(*path)) for path in [("layer", "pad"), ("bottom",), ("layer", "type")]]
    return (
        NetParameter(layers=[layer.message for layer in kept]),
        [place.removeprefix("net.prototxt:") for place in places],
        [str(problem) for problem in problems],
    )


@pytest.mark.parametrize("type_", ["conv", "pool"])
def test_the_next_layer_pads_by_itself(type_: str) -> None:
    layer = "layers { layer { name: 'c' type: '%s' %s } bottom: '%s' top: 'c' }"

    after, places, problems = merged(DATA + PAD + layer % (type_, "", "p"))

    assert after == net(DATA + layer % (type_, "pad: 2", "x")).message
    assert places == ["2:44", "2:53", "3:28"]
    assert problems == []


def test_a_pad_of_the_layers_own_gives_way_be_it_to_0() -> None:
    text = "layers { layer { type: 'conv' %s } bottom: '%s' }"

    after, _, _ = merged(DATA + PAD.replace("pad: 2", "") + text % ("pad: 7", "p"))

    assert after == net(DATA + text % ("pad: 0", "x")).message


def test_padding_in_place_is_for_the_readers_below_it() -> None:
    conv = "layers { layer { type: 'conv' %s } bottom: 'x' top: '%s' }\n"
    pad = PAD.replace("top: 'p'", "top: 'x'")

    after, _, _ = merged(DATA + conv % ("", "a") + pad + conv % ("", "b") + conv % ("", "c"))

    assert (
        after
        == net(DATA + conv % ("", "a") + conv % ("pad: 2", "b") + conv % ("pad: 2", "c")).message
    )


def test_a_padding_layer_that_nothing_reads_is_dropped() -> None:
    assert merged(DATA + PAD)[0] == net(DATA).message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            PAD + "layers { layer { name: 'r' type: 'relu' } bottom: 'p' }",
            "net.prototxt:3:43: layer 'r' of type 'relu' reads padding layer 'p', "
            "which conv or pool may",
            id="another type",
        ),
        pytest.param(
            PAD + "layers { layer { name: 'q' type: 'padding' } bottom: 'p' top: 'q' }",
            "net.prototxt:3:46: layer 'q' of type 'padding' reads padding layer 'p', "
            "which conv or pool may",
            id="padding twice",
        ),
        pytest.param(
            PAD + "layers { layer { name: 'c' type: 'conv' } bottom: 'x' bottom: 'p' }",
            "net.prototxt:3:43: layer 'c' has 2 bottoms, one of them of padding layer 'p'; "
            "it may have that one only",
            id="two bottoms",
        ),
        pytest.param(
            PAD.replace("top: 'p'", "top: 'p' top: 'q'")
            + "layers { layer { name: 'c' type: 'conv' } bottom: 'p' }",
            "net.prototxt:2:1: padding layer 'p' has 1 bottoms and 2 tops, must have 1 of each",
            id="two tops",
        ),
    ],
)
def test_misuse_is_an_error(text: str, problem: str) -> None:
    assert merged(DATA + text)[2] == [problem]
