"""Prototxts read as Caffe reads them, with the place of each field and every error at once."""

import pytest
from google.protobuf import text_format

from caffepy.errors import ParseError
from caffepy.proto import (
    BatchNormParameter,
    ConvolutionParameter,
    LayerParameter,
    NetParameter,
    PoolingParameter,
    SolverParameter,
)
from caffepy.proto.text import parse_text

LENET = """
name: "LeNet"
layer {
  name: "mnist"
  type: "Data"
  top: "data"
  top: "label"
  include { phase: TRAIN }
  transform_param { scale: 0.00390625 }
  data_param { source: "examples/mnist/mnist_train_lmdb" batch_size: 64 backend: LMDB }
}
layer {
  name: "conv1"
  type: "Convolution"
  bottom: "data"
  top: "conv1"
  param { lr_mult: 1 }
  param { lr_mult: 2 }
  convolution_param {
    num_output: 20
    kernel_size: 5
    stride: 1
    weight_filler { type: "xavier" }
    bias_filler { type: "constant" }
  }
}
layer {
  name: "pool1"
  type: "Pooling"
  bottom: "conv1"
  top: "pool1"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 }
}
layer {
  name: "ip1"
  type: "InnerProduct"
  bottom: "pool1"
  top: "ip1"
  param { lr_mult: 1 decay_mult: 0.5 }
  inner_product_param { num_output: 10 weight_filler { type: "gaussian" std: .01 } }
}
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip1" bottom: "label" top: "loss" }
"""
SOLVER = """
net: "examples/mnist/lenet_train_test.prototxt"   # where the net is
test_iter: 100
test_interval: 500
base_lr: 0.01; momentum: 0.9, weight_decay: 5e-4
lr_policy: 'inv'
gamma: 0.0001 power: 0.75f
stepvalue: [5000, 7000]
snapshot_prefix: "examples/" "lenet"
solver_mode: CPU
"""
V1 = """
input: "data" input_dim: 1 input_dim: 3 input_dim: 224 input_dim: 224
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv" blobs_lr: 1 blobs_lr: 2
         convolution_param < num_output: 96 kernel_size: 11 > }
layers: { layer: { name: "pool" type: "pool" kernelsize: 3 stride: 2 } bottom: "conv" }
"""


def net(text: str) -> NetParameter:
    return parse_text(text.encode(), NetParameter, "net.prototxt")[0]


def errors(text: str | bytes) -> list[str]:
    """What is said of a net's prototxt, a line an error, without the name of the file."""
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ParseError) as caught:
        parse_text(data, NetParameter, "net.prototxt")
    return [line.removeprefix("net.prototxt:") for line in str(caught.value).splitlines()]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param(LENET, NetParameter, id="LeNet"),
        pytest.param(LENET.replace("\n", "\r\n"), NetParameter, id="LeNet from Windows"),
        pytest.param(V1, NetParameter, id="old formats"),
        pytest.param(SOLVER, SolverParameter, id="solver"),
        pytest.param("", NetParameter, id="nothing"),
    ],
)
def test_reads_what_googles_parser_reads(
    text: str, kind: type[NetParameter] | type[SolverParameter]
) -> None:
    message, _ = parse_text(text.encode(), kind, "file")

    assert message == text_format.Parse(text, kind())


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param('layer { name: "a" type: "b" }', id="braces"),
        pytest.param('layer: { name: "a" type: "b" }', id="colon and braces"),
        pytest.param('layer: < name: "a" type: "b" >', id="colon and angles"),
        pytest.param('layer < name: "a", type: "b"; >', id="separators"),
        pytest.param("layer { name: 'a' type: \"b\" },", id="quotes of both kinds"),
        pytest.param('layer [{ name: "a" type: "b" }]', id="list of one message"),
        pytest.param('layer{name:"a"type:"b"}', id="no blanks"),
        pytest.param('# net\nlayer { # one\r\n name: "a" # two\r\n type: "b" }#', id="comments"),
    ],
)
def test_spellings_of_one_layer(layer: str) -> None:
    assert net(layer) == NetParameter(layer=[LayerParameter(name="a", type="b")])


def test_lists_and_repeated_fields_add_up() -> None:
    convolution = (
        net("layer { convolution_param { kernel_size: [2, 3] kernel_size: 4 pad: [] } }")
        .layer[0]
        .convolution_param
    )

    assert convolution == ConvolutionParameter(kernel_size=[2, 3, 4])


def test_empty_messages_are_set() -> None:
    layer = net("layer { pooling_param { } batch_norm_param < > }").layer[0]

    assert layer.HasField("pooling_param")
    assert layer == LayerParameter(
        pooling_param=PoolingParameter(), batch_norm_param=BatchNormParameter()
    )


def test_comments_may_be_in_any_encoding() -> None:
    text = "# 卷积\nname: 'a'  # 池化\n".encode("gbk")

    message, position = parse_text(text, NetParameter, "net.prototxt")

    assert message.name == "a"
    assert str(position.at("name")) == "net.prototxt:2:1"


def test_every_field_has_its_place() -> None:
    text = """name: "n"
layer {
  name: "a"
  top: "x" top: "y"
  convolution_param {
    kernel_size: [2,
                  3]
  }
}
layer { name: "b" }
"""
    _, position = parse_text(text.encode(), NetParameter, "net.prototxt")

    places = {
        (): "net.prototxt",
        ("name",): "net.prototxt:1:1",
        ("layer", 0): "net.prototxt:2:1",
        ("layer", 0, "top", 1): "net.prototxt:4:12",
        ("layer", 0, "convolution_param"): "net.prototxt:5:3",
        ("layer", 0, "convolution_param", "kernel_size", 0): "net.prototxt:6:19",
        ("layer", 0, "convolution_param", "kernel_size", 1): "net.prototxt:7:19",
        ("layer", 1, "name"): "net.prototxt:10:9",
        ("layer", 1, "type"): "net.prototxt:10:1",
    }
    assert {path: str(position.at(*path)) for path in places} == places


def test_all_errors_are_reported_together_in_the_order_of_the_file() -> None:
    text = """name: "n"
layer {
  nam: "a"
  type = "Pooling"
  pooling_param { pool: MAXX kernel_size: 2.0 stride: -1 }
  name: "a" name: "b"
}
layer {
  convolution_parm { num_output: 3 weight_filler { type: "xavier" } }
  clip_param { min: 1 }
  bottom: "c
  top: 3
}
"""
    assert errors(text) == [
        "3:3: LayerParameter has no field 'nam'; did you mean 'name'?",
        "4:8: expected : after type, got '='",
        "5:25: pool takes one of MAX, AVE, STOCHASTIC, got 'MAXX'; did you mean 'MAX'?",
        "5:43: kernel_size takes a whole number, got '2.0'",
        "5:55: stride takes a whole number from 0 to 4294967295, got -1",
        "6:13: name is given again, after line 6",
        "9:3: LayerParameter has no field 'convolution_parm'; did you mean 'convolution_param' or "
        "'pooling_param' or 'reduction_param'?",
        "10:3: layer[1].clip_param has no max, which is required",
        "11:11: the string of bottom has no closing quote on its line",
        "12:8: top takes a string in quotes, got '3'",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "layer { name: } name: 3",
            [
                "1:15: name takes a string in quotes, got '}'",
                "1:23: name takes a string in quotes, got '3'",
            ],
            id="no value",
        ),
        pytest.param("foo", ["1:1: NetParameter has no field 'foo'"], id="a word"),
        pytest.param(
            "net: 'a' layer { base_lr: 1 }",
            [
                "1:1: NetParameter has no field 'net'; SolverParameter has: is this the file of a "
                "solver?",
                "1:18: LayerParameter has no field 'base_lr'",
            ],
            id="a solver for a net",
        ),
        pytest.param(
            "pooling_param { stride: 1 } name: 'a' b: <c: 1> d: 'e' 'f' g: [1, 2] h",
            [
                "1:1: NetParameter has no field 'pooling_param'",
                "1:39: NetParameter has no field 'b'",
                "1:49: NetParameter has no field 'd'",
                "1:60: NetParameter has no field 'g'",
                "1:70: NetParameter has no field 'h'",
            ],
            id="unknown fields, skipped with their values",
        ),
        pytest.param(
            "layer {\n  name: 'a'\n  pooling_param {\n    stride: 1\n}\nlayer { name: 'b' }\n",
            [
                "6:1: LayerParameter has no field 'layer'; NetParameter has: is a closing bracket "
                "missing above?"
            ],
            id="bracket missing inside",
        ),
        pytest.param(
            "name: 'a'\nlayer {\n  name: 'a'\n",
            [
                "4:1: expected a field, or the } of the LayerParameter that begins on line 2, got "
                "the end of the file"
            ],
            id="bracket missing at the end",
        ),
        pytest.param(
            "layer { name: 'a' } }",
            ["1:21: expected a field of NetParameter, got '}'"],
            id="bracket too many",
        ),
        pytest.param(
            "layer { name: 'a' >",
            [
                "1:19: expected a field, or the } of the LayerParameter that begins on line 1, got '>'"
            ],
            id="brackets of two kinds",
        ),
        pytest.param(
            "layer { bottom: “data” }\nfoo: 1",
            ["1:17: bottom takes a string in quotes, got '“' (U+201C)"],
            id="quotes of a word processor",
        ),
        pytest.param(
            r'name: "\377" "a" input: "b"', ["1:7: the string of name is not UTF-8"], id="no UTF-8"
        ),
        pytest.param(
            "layer: 3 layer: 'a' name { a: 1 } name",
            [
                "1:8: layer takes { fields }, got '3'",
                "1:17: layer takes { fields }, got \"'a'\"",
                "1:26: expected : after name, got '{'",
                "1:26: name takes a string in quotes, got '{'",
                "1:35: name is given again, after line 1",
                "1:39: expected : after name, got the end of the file",
                "1:39: name takes a string in quotes, got the end of the file",
            ],
            id="message and scalar confused",
        ),
        pytest.param(
            "name: 'a'\ntop\N{FULLWIDTH COLON} 'x'\nname\N{FULLWIDTH COLON} 'b'",
            [
                "2:1: NetParameter has no field 'top'",
                "2:4: expected a field of NetParameter, got '\uff1a' (U+FF1A)",
            ],
            id="full-width colon after an unknown name",
        ),
        pytest.param(
            "name\N{FULLWIDTH COLON} 'b' input: 3",
            [
                "1:5: expected : after name, got '\uff1a' (U+FF1A)",
                "1:18: input takes a string in quotes, got '3'",
            ],
            id="full-width colon",
        ),
        pytest.param(
            "layer { top: ['a' 'b', 'c' 3] }",
            ["1:28: expected , or ] in the list of top, got '3'"],
            id="list without comma",
        ),
        pytest.param(
            "layer { name: ['a', 'b'] type: 'c' }",
            ["1:15: name takes a string in quotes, got '['"],
            id="list for one value",
        ),
        pytest.param(
            "name: 'a' name: 'a'", ["1:11: name is given again, after line 1"], id="twice"
        ),
        pytest.param(
            "state { level: 1 }\nstate { level: 2 }",
            ["2:1: state is given again, after line 1"],
            id="message twice",
        ),
        pytest.param(
            "layer { clip_param { min: 'a' max: 1 } }",
            ["1:27: min takes a number, got \"'a'\""],
            id="required field with a bad value is not missing",
        ),
        pytest.param(
            "[caffe.extension]: 3",
            ["1:1: expected a field of NetParameter, got '['"],
            id="extension",
        ),
        pytest.param("1: 'a'", ["1:1: expected a field of NetParameter, got '1'"], id="number"),
        pytest.param(
            b"\xef\xbb\xbfname: 'a'",
            [
                "1:1: the file starts with the byte-order mark of UTF-8; save it as UTF-8 without one"
            ],
            id="UTF-8 mark",
        ),
        pytest.param(
            "name: 'a'".encode("utf-16"),
            [
                "1:1: the file starts with the byte-order mark of UTF-16; save it as UTF-8 without one"
            ],
            id="UTF-16",
        ),
        pytest.param(
            NetParameter(layer=[LayerParameter(name="a", loss_weight=[0])]).SerializeToString(),
            [" this is no text file (byte 7 is 0), but a prototxt is expected"],
            id="binary",
        ),
        pytest.param(
            "name: '卷积'".encode("gbk"),
            ["1:7: the string of name is not UTF-8"],
            id="string in another encoding",
        ),
        pytest.param(
            b"name: \xb5",
            ["1:7: name takes a string in quotes, got the byte 0xB5, which is not UTF-8"],
            id="another encoding outside strings",
        ),
    ],
)
def test_refuses(text: str | bytes, expected: list[str]) -> None:
    assert errors(text) == expected


def test_of_many_errors_the_first_twenty_are_shown() -> None:
    found = errors("\n".join(f"field{index}: {index}" for index in range(23)))

    assert len(found) == 21
    assert found[19] == "20:1: NetParameter has no field 'field19'"
    assert found[20] == " and 3 more errors"


def test_deep_nesting_in_an_unknown_field_is_no_trouble() -> None:
    assert errors("foo " + "{ a " * 5000 + "}" * 5000) == ["1:1: NetParameter has no field 'foo'"]
