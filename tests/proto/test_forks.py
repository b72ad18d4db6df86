import pytest

from caffepy.errors import NetError, ParseError
from caffepy.graph.kinds import KINDS
from caffepy.graph.load import make_graph
from caffepy.proto import NetParameter, NetState, SolverParameter, caffe_pb2
from caffepy.proto.files import parse_text
from caffepy.proto.forks import FIELDS, TYPES, field_hint, type_hint

MESSAGES = caffe_pb2.DESCRIPTOR.message_types_by_name
BINARY = {"Datum"}  # in no prototxt
MISSING_FIELDS = [
    pytest.param(forks, message, field, id=f"{message}.{field} of {forks}")
    for forks, message, names in FIELDS
    for field in names.split()
    if field not in MESSAGES[message].fields_by_name and message not in BINARY
]
MISSING_TYPES = [
    pytest.param(forks, layer_type, id=f"{layer_type} of {forks}")
    for forks, names in TYPES
    for layer_type in names.split()
    if layer_type not in KINDS
]
# Where a field of a message can stand; the other messages are fields of a layer.
PLACES = {
    "BlobProto": "layer { blobs { %s: 1 } }",
    "FillerParameter": "layer { bias_param { filler { %s: 1 } } }",
    "LayerParameter": "layer { %s: 1 }",
    "NetParameter": "%s: 1",
    "SaveOutputParameter": "layer { detection_output_param { save_output_param { %s: 1 } } }",
    "SolverParameter": "%s: 1",
}


def place_in_layer(message: str) -> str:
    fields = MESSAGES["LayerParameter"].fields
    name = next(field.name for field in fields if field.message_type is MESSAGES[message])
    return f"layer {{ {name} {{ %s: 1 }} }}"


@pytest.mark.parametrize(("forks", "message", "field"), MISSING_FIELDS)
def test_a_field_of_a_fork_is_refused_with_the_forks_name(
    forks: str, message: str, field: str
) -> None:
    text = (PLACES.get(message) or place_in_layer(message)) % field
    kind = SolverParameter if message == "SolverParameter" else NetParameter

    with pytest.raises(ParseError) as caught:
        parse_text(text.encode(), kind, "net.prototxt")

    (line,) = str(caught.value).splitlines()
    assert line.endswith(f": {message} has no field '{field}'{field_hint(message, field)}")
    assert all(f"{fork}'s" in line for fork in forks.split(", "))


@pytest.mark.parametrize(("forks", "layer_type"), MISSING_TYPES)
def test_a_layer_type_of_a_fork_is_refused_with_the_forks_name(forks: str, layer_type: str) -> None:
    text = f'layer {{ name: "x" type: "{layer_type}" top: "x" }}'
    net, position = parse_text(text.encode(), NetParameter, "net.prototxt")

    with pytest.raises(NetError) as caught:
        make_graph(net, position, NetState())

    assert f"net.prototxt:1:19: layer 'x': Unknown layer type: {layer_type}; " in str(caught.value)
    assert all(f"{fork}'s" in str(caught.value) for fork in forks.split(", "))
    assert "(known types: " in str(caught.value)


def test_one_fork() -> None:
    assert field_hint("LayerParameter", "dense_crf_param") == (
        "; PSPNet's fork of Caffe has it, caffepy does not"
    )


def test_several_forks() -> None:
    assert type_hint("MultiBoxLoss") == (
        "; SSD's, NVIDIA's and Intel's forks of Caffe have it, caffepy does not"
    )
