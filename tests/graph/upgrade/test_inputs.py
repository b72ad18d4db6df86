import pytest

from caffepy.graph.upgrade import inputs
from caffepy.graph.upgrade.entry import Entry
from caffepy.proto import NetParameter
from caffepy.proto.position import Position
from tests.graph.upgrade.old import check_upgrade, net, refusals

DIMS = "input: 'a' input_dim: [2, 3, 4, 5]"
LAYER = "layer { name: 'r' type: 'ReLU' bottom: 'a' top: 'r' }"


@pytest.mark.parametrize(
    ("old", "tops", "shapes"),
    [
        pytest.param(DIMS, "top: 'a'", "shape { dim: [2, 3, 4, 5] }", id="dims"),
        pytest.param(
            "input: 'a' input: 'b' input_dim: [2, 3, 4, 5, 6, 7, 8, 9]",
            "top: 'a' top: 'b'",
            "shape { dim: [2, 3, 4, 5] } shape { dim: [6, 7, 8, 9] }",
            id="dims of two",
        ),
        pytest.param(
            "input: 'a' input: 'b' input_shape { dim: [2, 3] } input_shape { }",
            "top: 'a' top: 'b'",
            "shape { dim: [2, 3] } shape { }",
            id="shapes",
        ),
    ],
)
def test_inputs_become_a_layer_before_the_others(old: str, tops: str, shapes: str) -> None:
    check_upgrade(
        inputs,
        f"name: 'n' {LAYER} {old}",
        f"name: 'n' layer {{ name: 'input' type: 'Input' {tops} input_param {{ {shapes} }} }} {LAYER}",
    )


def test_inputs_without_sizes_are_dropped() -> None:
    check_upgrade(inputs, f"name: 'n' input: 'a' {LAYER}", f"name: 'n' {LAYER}")


@pytest.mark.parametrize("text", [LAYER, "input_dim: 2", "input_shape { dim: 2 }"])
def test_is_not_needed_without_names(text: str) -> None:
    assert not inputs.needed(net(text).message)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "input: 'a'\ninput_dim: 2 input_dim: 3",
            "net.prototxt:2:1: has 2 input_dims for 1 inputs, must have 4, 4 each",
        ),
        (
            "input: 'a' input: 'b'\ninput_shape { dim: 2 }",
            "net.prototxt:2:1: has 1 input_shapes for 2 inputs, must have 2, 1 each",
        ),
    ],
)
def test_too_few_sizes_are_an_error(text: str, line: str) -> None:
    assert refusals(inputs, text) == [line]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param(
            f"{DIMS}\ninput_dim: 6 input_dim: 7",
            [
                "net.prototxt:2:1: has 6 input_dims for 1 inputs, must have 4; "
                "those left over are not read"
            ],
            id="dims",
        ),
        pytest.param(
            "input: 'a' input_shape { dim: [2, 3, 4, 5] }\ninput_shape { }",
            [
                "net.prototxt:2:1: has 2 input_shapes for 1 inputs, must have 1; "
                "those left over are not read"
            ],
            id="shapes",
        ),
        pytest.param(
            "input: 'a' input_shape { dim: [2, 3, 4, 5] }\ninput_dim: 6",
            ["net.prototxt:2:1: input_dim is not read: there is input_shape too"],
            id="both",
        ),
    ],
)
def test_sizes_left_over_are_warnings(text: str, lines: list[str]) -> None:
    after, problems = inputs.upgrade(net(text))

    (shape,) = after.message.layer[0].input_param.shape
    assert list(shape.dim) == [2, 3, 4, 5]
    assert [str(problem) for problem in problems] == lines
    assert {problem.severity for problem in problems} == {"warning"}


@pytest.mark.parametrize(
    ("text", "severity", "line"),
    [
        pytest.param(
            f"input: 'b'\ninput: 'a' {LAYER}",
            "error",
            "net.prototxt:2:1: input 'a' has neither input_shape nor input_dim, and so no size",
            id="no size",
        ),
        pytest.param(
            "input: 'a' layers { bottom: 'a' }",
            "error",
            "net.prototxt:1:1: input 'a' has neither input_shape nor input_dim, and so no size",
            id="no size, read by an old layer",
        ),
        pytest.param(
            f"{LAYER}\ninput_dim: 2",
            "warning",
            "net.prototxt:2:1: input_dim is not read: the net has no `input`",
            id="no input",
        ),
    ],
)
def test_check(text: str, severity: str, line: str) -> None:
    (problem,) = inputs.check(net(text))

    assert (problem.severity, str(problem)) == (severity, line)


@pytest.mark.parametrize(
    "text",
    [LAYER, f"{DIMS} {LAYER}", "input: 'b'" + LAYER, "input: 'a' layer { top: 'a' }" + LAYER],
    ids=["none", "with sizes", "not read", "made by a layer"],
)
def test_check_passes(text: str) -> None:
    assert inputs.check(net(text)) == []


def test_places() -> None:
    after, _ = inputs.upgrade(
        net("""
name: "n"
input: "a" input: "b"
input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4
input_dim: 5 input_dim: 6 input_dim: 7 input_dim: 8
layer { name: "r" }
""")
    )

    assert str(after.position.at("layer", 1, "name")) == "net.prototxt:5:9"
    layer = after.position.at("layer", 0)
    assert str(layer) == "net.prototxt:2:1"
    assert str(layer.at("top", 1)) == "net.prototxt:2:12"
    assert str(layer.at("input_param")) == "net.prototxt:3:1"
    assert str(layer.at("input_param", "shape", 1)) == "net.prototxt:4:1"
    assert str(layer.at("input_param", "shape", 1, "dim", 3)) == "net.prototxt:4:40"


def test_the_place_of_a_shape() -> None:
    after, _ = inputs.upgrade(net("input: 'a'\ninput_shape { dim: 2\n dim: 0 }"))

    shape = after.position.at("layer", 0, "input_param", "shape", 0)
    assert [str(shape), str(shape.at("dim", 1))] == ["net.prototxt:2:1", "net.prototxt:3:2"]


def test_a_net_made_in_memory_has_one_place() -> None:
    message = NetParameter(input=["a"], input_dim=[1, 2, 3, 4])
    message.layer.add(name="r")

    after, _ = inputs.upgrade(Entry(message, Position("made here")))

    assert [layer.name for layer in after.message.layer] == ["input", "r"]
    assert str(after.position.at("layer", 1)) == "made here"
