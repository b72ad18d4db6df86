from pathlib import Path

import pytest

from caffepy.errors import NetError, ParseError
from caffepy.graph.load import load_graph, make_graph
from caffepy.proto import TEST, TRAIN, NetParameter, NetState, Phase
from caffepy.proto.position import Position
from tests.graph.nets import LENET, graph_of, layer

LOSS = layer("data", "Data", "", "data label") + layer("loss", "SoftmaxWithLoss", "data label")


def test_lenet_to_train() -> None:
    graph = graph_of(LENET, TRAIN)
    assert graph.name == "LeNet"
    names = " ".join(node.param.name for node in graph.nodes)
    assert names == "mnist conv1 pool1 conv2 pool2 ip1 relu1 ip2 loss"
    assert {node.param.phase for node in graph.nodes} == {TRAIN}
    assert graph.nodes[0].param.data_param.batch_size == 64
    assert graph.outputs == ("loss",)
    assert graph.loss_weights == {"loss": 1.0}
    assert graph.problems == ()


def test_lenet_to_test() -> None:
    graph = graph_of(LENET, TEST)
    assert " ".join(node.param.name for node in graph.nodes) == (
        "mnist label_mnist_1_split conv1 pool1 conv2 pool2 ip1 relu1 ip2 ip2_ip2_0_split "
        "accuracy loss"
    )
    assert {node.param.phase for node in graph.nodes} == {TEST}
    assert graph.nodes[0].param.data_param.batch_size == 100
    assert list(graph.nodes[-2].param.bottom) == ["ip2_ip2_0_split_0", "label_mnist_1_split_0"]
    assert list(graph.nodes[-1].param.bottom) == ["ip2_ip2_0_split_1", "label_mnist_1_split_1"]
    assert graph.outputs == ("accuracy", "loss")
    assert str(graph.nodes[0].position) == "net.prototxt:6:1"
    assert str(graph.nodes[9].position) == "net.prototxt:20:1"


def test_a_loss_without_top_has_one_that_is_no_output() -> None:
    other = layer("other", "SoftmaxWithLoss", "data label", "", "loss_weight: 0.5")
    graph = graph_of(LOSS + other)
    assert [list(n.param.top) for n in graph.nodes[-2:]] == [["(automatic)"], ["(automatic)1"]]
    assert graph.outputs == ()
    assert graph.loss_weights == {"(automatic)": 1.0, "(automatic)1": 0.5}


def test_what_the_net_says_of_itself_is_kept() -> None:
    graph = graph_of(f"force_backward: true debug_info: true {LOSS}")
    assert (graph.force_backward, graph.debug_info) == (True, True)
    graph = graph_of(LOSS)
    assert (graph.force_backward, graph.debug_info) == (False, False)
    assert str(graph.position) == "net.prototxt"


@pytest.mark.parametrize(
    ("own", "given", "phase", "level", "stages"),
    [
        pytest.param("", NetState(), TEST, 0, [], id="defaults"),
        pytest.param("phase: TRAIN level: 1 stage: 'a'", NetState(), TRAIN, 1, ["a"], id="own"),
        pytest.param(
            "phase: TRAIN level: 1 stage: 'a'",
            NetState(phase=TEST, level=2, stage=["b"]),
            TEST,
            2,
            ["a", "b"],
            id="given over own",
        ),
        pytest.param("level: 1", NetState(phase=TRAIN), TRAIN, 1, [], id="what is not given stays"),
    ],
)
def test_states_merge(
    tmp_path: Path, own: str, given: NetState, phase: Phase, level: int, stages: list[str]
) -> None:
    file = tmp_path / "net.prototxt"
    file.write_text(f"state {{ {own} }} {LOSS}")
    state = load_graph(file, given).state
    assert (state.phase, state.level, list(state.stage)) == (phase, level, stages)
    assert state.HasField("phase")


def test_make_graph_takes_the_state_as_it_is_and_changes_no_message() -> None:
    net = NetParameter(state=NetState(level=3))
    net.layer.add(name="in", type="Input", top=["a"])
    before = NetParameter.FromString(net.SerializeToString())
    graph = make_graph(net, Position("made here"), NetState(phase=TRAIN))
    assert graph.state == NetState(phase=TRAIN)
    assert net == before


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match=r"none\.prototxt"):
        load_graph(tmp_path / "none.prototxt", NetState())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "name: 'x'\nlayers { name: 'a' type: RELU }",
            "net.prototxt:2:1: this net is in Caffe's older V1 format (`layers`); "
            "write it with `layer`",
            id="V1",
        ),
        pytest.param(
            "layers { layer { name: 'a' type: 'relu' } }",
            "net.prototxt:1:1: this net is in Caffe's older V0 format (`layers`); "
            "write it with `layer`",
            id="V0",
        ),
        pytest.param(
            "layer { name: 'a' }\nlayers { name: 'b' }",
            "net.prototxt:2:1: has both `layers` and `layer`; "
            "a net may have only one of the two formats",
            id="mixed",
        ),
        pytest.param(
            "name: 'x' input: 'data'\ninput_dim: 2 layer { name: 'a' }",
            "net.prototxt:1:11: `input` of the net is Caffe's older way to declare inputs; write "
            '`layer { name: "input" type: "Input" top: ... input_param { shape { ... } } }`',
            id="inputs",
        ),
        pytest.param("name: 'x'", "net.prototxt: the net has no layers", id="empty"),
        pytest.param(
            layer("a", "Input", "", "a", "include { phase: TRAIN }"),
            "net.prototxt: the net has no layers in phase TEST, level 0, stages none: "
            "the include and exclude rules leave all 1 out",
            id="empty once filtered",
        ),
    ],
)
def test_nets_that_are_refused_whole(text: str, message: str) -> None:
    with pytest.raises(NetError) as caught:
        graph_of(text)
    assert str(caught.value) == message


def test_the_state_that_leaves_nothing_is_told_with_its_stages() -> None:
    net = NetParameter()
    net.layer.add(name="a", type="Input", top=["a"]).include.add(max_level=1)
    with pytest.raises(NetError, match="in phase TRAIN, level 2, stages 'x', 'y': "):
        make_graph(net, Position("n"), NetState(phase=TRAIN, level=2, stage=["x", "y"]))
