import pytest

from caffepy.graph.problem import Problem
from caffepy.graph.upgrade.entry import Entry, bare, carry, copied, copy_without, layers_of
from caffepy.proto import LayerParameter, NetParameter, NetState, V0LayerParameter, V1LayerParameter
from caffepy.proto.files import parse_text
from caffepy.proto.position import Position

PLACE = Position("net.prototxt", 7, 3)


def v1(text: str) -> Entry[V1LayerParameter]:
    return Entry(*parse_text(text.encode(), V1LayerParameter, "net.prototxt"))


def new() -> Entry[LayerParameter]:
    return Entry(LayerParameter(), bare(PLACE))


def test_bare_has_the_fields_given_and_copied_those_of_the_original_too() -> None:
    original = bare(PLACE, top=[PLACE])

    assert original.fields == {"top": [PLACE]}
    assert copied(original, name=[PLACE]).fields == {"top": [PLACE], "name": [PLACE]}
    assert bare(original).fields == {}
    assert original.fields == {"top": [PLACE]}


def test_the_place_of_a_field_that_is_not_in_the_file_is_the_messages() -> None:
    entry = v1("name: 'a' top: 'x' top: 'y'")

    assert str(entry.place("top", 1)) == "net.prototxt:1:20"
    assert entry.place("top", 2) == Position("net.prototxt")
    assert entry.place("blobs_lr") == Position("net.prototxt")


def test_layers_of_a_net() -> None:
    net = Entry(
        *parse_text(b"layers { name: 'a' }\nlayers { layer { } }", NetParameter, "net.prototxt")
    )

    layers = list(layers_of(net))

    assert [str(layer.position) for layer in layers] == ["net.prototxt:1:1", "net.prototxt:2:1"]
    assert [layer.message for layer in layers] == list(net.message.layers)


def test_a_copy_of_a_net_without_some_fields() -> None:
    net = NetParameter(name="n", force_backward=False, input=["a"], input_dim=[1, 2])
    net.layer.add(name="l")
    net.state.SetInParent()

    assert copy_without(net, "layer", "input") == NetParameter(
        name="n", force_backward=False, input_dim=[1, 2], state=NetState()
    )
    assert len(net.layer) == 1


def test_problems_stand_at_their_field() -> None:
    entry = v1("name: 'a'\ntop: 'x' top: 'y'")

    assert entry.error("bad", "top", 1) == Problem("error", "net.prototxt:2:10", "bad")
    assert entry.warning("bad") == Problem("warning", "net.prototxt", "bad")


@pytest.mark.parametrize(
    ("text", "field", "path", "result", "place"),
    [
        pytest.param("name: 'a'", "name", ("name",), "name: 'a'", "1:1", id="scalar"),
        pytest.param(
            "top: 'a'\ntop: 'b'", "top", ("top",), "top: 'a' top: 'b'", "1:1", id="repeated"
        ),
        pytest.param(
            "loss_param { normalize: true }",
            "loss_param",
            ("loss_param",),
            "loss_param { normalize: true }",
            "1:1",
            id="message",
        ),
        pytest.param(
            "loss_param { }", "loss_param", ("loss_param",), "loss_param { }", "1:1", id="empty"
        ),
    ],
)
def test_carry(text: str, field: str, path: tuple[str, ...], result: str, place: str) -> None:
    target = new()

    carry(v1(text), field, target, *path)

    assert target.message == parse_text(result.encode(), LayerParameter, "")[0]
    assert str(target.position.at(*path)) == f"net.prototxt:{place}"


def test_carry_into_a_message() -> None:
    source = Entry(*parse_text(b"num_output: 3\npad: 2", V0LayerParameter, "net.prototxt"))
    target = new()

    carry(source, "num_output", target, "convolution_param", "num_output")
    carry(source, "pad", target, "convolution_param", "pad")
    carry(source, "pad", target, "convolution_param", "pad")

    assert target.message.convolution_param.num_output == 3
    assert list(target.message.convolution_param.pad) == [2, 2]
    assert str(target.position.at("convolution_param", "num_output")) == "net.prototxt:1:1"
    assert str(target.position.at("convolution_param", "pad", 1)) == "net.prototxt:2:1"


def test_carry_takes_the_place_of_a_single_value() -> None:
    target = new()

    carry(v1("name: 'a'"), "name", target, "name")
    carry(v1("\nname: 'b'"), "name", target, "name")

    assert target.message.name == "b"
    assert str(target.position.at("name")) == "net.prototxt:2:1"


def test_carry_refuses_a_number_that_does_not_fit() -> None:
    source = Entry(V0LayerParameter(new_height=-1), PLACE)

    with pytest.raises(ValueError, match="-1"):
        carry(source, "new_height", new(), "image_data_param", "new_height")


def test_messages_made_in_memory_have_one_place() -> None:
    target = new()

    carry(Entry(V0LayerParameter(pad=1), PLACE), "pad", target, "convolution_param", "pad")

    assert str(target.position.at("convolution_param", "pad")) == "net.prototxt:7:3"
