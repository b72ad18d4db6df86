import logging

import pytest

from caffepy.errors import NetError
from caffepy.graph.upgrade.entry import Entry
from caffepy.graph.upgrade.passes import upgrade_net, upgrade_solver, upgrade_type
from caffepy.proto import SolverParameter
from caffepy.proto.files import parse_text
from tests.graph.upgrade.old import net

V0 = """
name: "old" force_backward: true
input: "data" input_dim: 2 input_dim: 3 input_dim: 8 input_dim: 8
layers { layer { name: "pad1" type: "padding" pad: 1 } bottom: "data" top: "pad1" }
layers {
  layer { name: "conv1" type: "conv" num_output: 4 kernelsize: 3 blobs_lr: 1 blobs_lr: 2 }
  bottom: "pad1" top: "conv1"
}
layers { layer { name: "prob" type: "softmax" } bottom: "conv1" top: "prob" }
"""
V1 = """
name: "old" force_backward: true
input: "data" input_shape { dim: [2, 3, 8, 8] }
layers {
  name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1" blobs_lr: 1 blobs_lr: 2
  convolution_param { pad: 1 num_output: 4 kernel_size: 3 }
}
layers { name: "prob" type: SOFTMAX bottom: "conv1" top: "prob" }
"""
V2 = """
name: "old" force_backward: true
layer {
  name: "input" type: "Input" top: "data" input_param { shape { dim: [2, 3, 8, 8] } }
}
layer {
  name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  param { lr_mult: 1 } param { lr_mult: 2 }
  convolution_param { pad: 1 num_output: 4 kernel_size: 3 }
}
layer { name: "prob" type: "Softmax" bottom: "conv1" top: "prob" }
"""


@pytest.mark.parametrize("text", [V0, V1, V2], ids=["V0", "V1", "V2"])
def test_every_format_becomes_todays(text: str) -> None:
    after, problems = upgrade_net(net(text))

    assert after.message == net(V2).message
    assert problems == []


def test_a_net_of_today_is_given_back_itself(caplog: pytest.LogCaptureFixture) -> None:
    before = net(V2)

    with caplog.at_level(logging.INFO, "caffepy"):
        assert upgrade_net(before)[0] is before

    assert caplog.messages == []


def test_every_layer_stands_where_it_came_from() -> None:
    after, _ = upgrade_net(net(V0))

    places = [str(after.position.at("layer", index)) for index in range(3)]
    assert places == ["net.prototxt:2:1", "net.prototxt:4:1", "net.prototxt:8:1"]
    conv = after.position.at("layer", 1)
    assert str(conv.at("convolution_param", "pad")) == "net.prototxt:3:47"
    assert str(conv.at("param", 1, "lr_mult")) == "net.prototxt:5:78"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param(
            V0,
            [
                "Attempting to upgrade input file specified using deprecated V0LayerParameter: "
                "net.prototxt",
                "Successfully upgraded file specified using deprecated V0LayerParameter",
                "Attempting to upgrade input file specified using deprecated V1LayerParameter: "
                "net.prototxt",
                "Successfully upgraded file specified using deprecated V1LayerParameter",
                "Attempting to upgrade input file specified using deprecated input fields: "
                "net.prototxt",
                "Successfully upgraded file specified using deprecated input fields.",
            ],
            id="V0",
        ),
        pytest.param(
            "layers { type: DATA data_param { scale: 2 } }",
            [
                "Attempting to upgrade input file specified using deprecated transformation "
                "parameters: net.prototxt",
                "Successfully upgraded file specified using deprecated data transformation "
                "parameters.",
                "Attempting to upgrade input file specified using deprecated V1LayerParameter: "
                "net.prototxt",
                "Successfully upgraded file specified using deprecated V1LayerParameter",
            ],
            id="data transformation",
        ),
        pytest.param(
            "layer { type: 'BatchNorm' param { } param { } param { } }",
            [
                "Attempting to upgrade batch norm layers using deprecated params: net.prototxt",
                "Successfully upgraded batch norm layers using deprecated params.",
            ],
            id="BatchNorm",
        ),
    ],
)
def test_each_upgrade_is_logged_as_caffe_does(
    text: str, lines: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "caffepy"):
        upgrade_net(net(text))

    assert caplog.messages == lines


def test_an_upgrade_that_loses_something_is_no_success(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "caffepy"):
        _, problems = upgrade_net(net("layers { layer { type: 'relu' stride: 2 } }"))

    assert len(problems) == 1
    assert not any("Successfully" in line and "V0" in line for line in caplog.messages)


def test_v0_layers_and_layers_of_today_do_not_mix() -> None:
    with pytest.raises(NetError, match="has both `layers` and `layer`"):
        upgrade_net(net("layers { layer { type: 'relu' } } layer { type: 'ReLU' }"))


def solver(text: str) -> Entry[SolverParameter]:
    return Entry(*parse_text(text.encode(), SolverParameter, "solver.prototxt"))


def test_the_type_of_a_solver(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "caffepy"):
        after = upgrade_type(solver("solver_type: ADAM"))

    assert after.message.type == "Adam"
    assert caplog.messages == [
        "Attempting to upgrade input file specified using deprecated 'solver_type' field (enum)': "
        "solver.prototxt",
        "Successfully upgraded file specified using deprecated 'solver_type' field (enum) "
        "to 'type' field (string).",
    ]


def test_a_solver_that_says_its_type_is_given_back_itself() -> None:
    before = solver("type: 'Adam'")

    assert upgrade_type(before) is before


@pytest.mark.parametrize("field", ["net_param", "train_net_param", "test_net_param"])
def test_nets_in_a_solver_are_upgraded_which_caffe_forgets(field: str) -> None:
    text = "max_iter: 3 solver_type: ADAM "

    after, problems = upgrade_solver(solver(f"{text} {field} {{ {V0} }}"))

    assert after == solver(f"max_iter: 3 type: 'Adam' {field} {{ {V2} }}").message
    assert problems == []


def test_what_a_net_in_a_solver_loses_is_told_with_its_place() -> None:
    lost = "layers { layer { name: 'r' type: 'relu' stride: 2 } }"

    _, problems = upgrade_solver(solver(f"test_net_param {{ }}\ntest_net_param {{\n{lost} }}"))

    assert [problem.where for problem in problems] == ["solver.prototxt:3:41"]


def test_a_solver_of_today_stays_as_it_is() -> None:
    text = f"type: 'Adam' net_param {{ {V2} }} net: 'x' test_net_param {{ }}"

    assert upgrade_solver(solver(text)) == (solver(text).message, [])
