from pathlib import Path

import pytest

from caffepy.errors import LayerError, NetError, ParseError
from caffepy.graph.load import load_graph, make_graph
from caffepy.net.build import build_net
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
            "layer { name: 'a' }\nlayers { name: 'b' }",
            "net.prototxt:2:1: has both `layers` and `layer`; "
            "a net may have only one of the two formats",
            id="mixed",
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


OLD = """
input: "data" input_dim: 2 input_dim: 3 input_dim: 8 input_dim: 8
layers { layer { name: "conv" type: "conv" num_output: 4 kernelsize: 3 } bottom: "data" top: "c" }
layers { layer { name: "pool" type: "pool" kernelsize: 2
  stride: 2 } bottom: "c" top: "p" }
layers { layer { name: "loss" type: "softmax_loss" } bottom: "p" bottom: "data" }
"""


def test_an_old_net_is_upgraded_and_its_layers_stand_where_they_were() -> None:
    graph = graph_of(OLD)

    assert [(node.param.type, str(node.position)) for node in graph.nodes] == [
        ("Input", "net.prototxt:2:1"),
        ("Split", "net.prototxt:2:1"),
        ("Convolution", "net.prototxt:3:1"),
        ("Pooling", "net.prototxt:4:1"),
        ("SoftmaxWithLoss", "net.prototxt:6:1"),
    ]
    assert graph.inputs == ("data",)
    assert graph.problems == ()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param(OLD.replace("stride: 2", "stride: 0"), "net.prototxt:5:3", id="V0"),
        pytest.param(
            """
input: "data" input_shape { dim: [2, 3, 8, 8] }
layers { name: "pool" type: POOLING bottom: "data" top: "p"
  pooling_param { kernel_size: 2 stride: 0 } }
""",
            "net.prototxt:4:34",
            id="V1",
        ),
    ],
)
def test_an_error_in_a_field_of_an_old_net_has_the_place_of_that_field(
    text: str, place: str
) -> None:
    with pytest.raises(LayerError) as caught:
        build_net(graph_of(text))

    assert str(caught.value).startswith(f"{place}: layer 'pool' (Pooling): the stride is (0, 0)")


def test_what_is_wrong_with_old_layers_is_said_of_their_own_fields() -> None:
    text = """
layers { name: "a" type: DATA top: "x" data_param { scale: 2 batch_size: 1 } }
layers { name: "b" type: RELU bottom: "y" top: "b"
  blobs_lr: 1 loss_weight: 1 loss_weight: 2 }
"""
    with pytest.raises(NetError) as caught:
        graph_of(text)

    assert [line.partition("; ")[0] for line in str(caught.value).splitlines()] == [
        "net.prototxt:3:31: layer 'b': Unknown bottom blob 'y' (layer 'b', bottom index 0)",
        "net.prototxt:4:15: layer 'b': has 2 loss_weights for 1 tops: give one a top, or none",
    ]


def test_an_input_without_a_size_that_is_read_is_told() -> None:
    with pytest.raises(NetError, match=r"^net\.prototxt:1:1: input 'a' has neither input_shape"):
        graph_of("input: 'a'\n" + layer("r", "ReLU", "a", "r"))


def test_what_an_old_net_loses_is_a_warning() -> None:
    graph = graph_of(OLD.replace('"softmax_loss"', '"softmax_loss" group: 1'))

    assert [str(problem) for problem in graph.problems] == [
        "net.prototxt:6:52: layer 'loss': softmax_loss takes no group: it is left out"
    ]


def test_a_v1_layer_among_v0_layers_is_an_error() -> None:
    with pytest.raises(NetError, match=r"6:1: layer 'sig' is a V1 layer in a net with V0 layers"):
        graph_of(OLD[: OLD.rindex("layers")] + "layers { name: 'sig' type: SIGMOID bottom: 'p' }")
