import pytest

from caffepy.graph.graph import Node
from caffepy.graph.splits import insert_splits, trace
from caffepy.proto import TEST, TRAIN
from tests.graph.nets import layer, nodes_of

DATA = layer("data", "Input", "", "data label")
Wires = tuple[str, list[str], list[str]]


def wires(nodes: list[Node]) -> list[Wires]:
    """Name, bottoms and tops of each layer."""
    return [(n.param.name, list(n.param.bottom), list(n.param.top)) for n in nodes]


def test_blobs_read_once_need_no_split() -> None:
    nodes = nodes_of(DATA + layer("loss", "SoftmaxWithLoss", "data label", "loss"))
    assert insert_splits(nodes) == nodes


def test_a_blob_read_three_times_has_three_tops_in_file_order() -> None:
    nodes = nodes_of(
        DATA
        + layer("a", "ReLU", "label", "a")
        + layer("b", "ReLU", "data", "b")
        + layer("c", "Silence", "label label")
    )
    split = "label_data_1_split"
    assert wires(insert_splits(nodes)) == [
        ("data", [], ["data", "label"]),
        (split, ["label"], [f"{split}_0", f"{split}_1", f"{split}_2"]),
        ("a", [f"{split}_0"], ["a"]),
        ("b", ["data"], ["b"]),
        ("c", [f"{split}_1", f"{split}_2"], []),
    ]


def test_two_split_tops_of_one_layer_follow_it_in_order() -> None:
    nodes = nodes_of(
        DATA + layer("s", "Silence", "data label") + layer("t", "Silence", "data label")
    )
    names = [node.param.name for node in insert_splits(nodes)]
    assert names == ["data", "data_data_0_split", "label_data_1_split", "s", "t"]


def test_an_in_place_layer_is_split_behind_its_last_writer() -> None:
    nodes = nodes_of(
        DATA
        + layer("ip", "InnerProduct", "data", "ip")
        + layer("relu", "ReLU", "ip", "ip")
        + layer("x", "Softmax", "ip", "x")
        + layer("y", "SoftmaxWithLoss", "ip label", "y")
    )
    split = "ip_relu_0_split"
    assert wires(insert_splits(nodes))[1:] == [
        ("ip", ["data"], ["ip"]),
        ("relu", ["ip"], ["ip"]),
        (split, ["ip"], [f"{split}_0", f"{split}_1"]),
        ("x", [f"{split}_0"], ["x"]),
        ("y", [f"{split}_1", "label"], ["y"]),
    ]


def test_a_split_layer_has_the_phase_and_the_place_of_its_producer() -> None:
    text = layer("in", "Input", "", "a", "phase: TRAIN") + layer(
        "s", "Silence", "a a", "", "phase: TEST"
    )
    _, split, silence = insert_splits(nodes_of(text))
    assert (split.param.type, split.param.phase, str(split.position)) == (
        "Split",
        TRAIN,
        "net.prototxt:1:1",
    )
    assert silence.param.phase == TEST


def test_a_loss_weight_of_a_top_read_elsewhere_moves_to_the_splits_first_top() -> None:
    nodes = nodes_of(
        DATA
        + layer("ip", "InnerProduct", "data", "ip", "loss_weight: 2.5")
        + layer("loss", "SoftmaxWithLoss", "ip label", "loss")
    )
    _, ip, split, loss = insert_splits(nodes)
    assert list(ip.param.loss_weight) == []
    assert list(split.param.loss_weight) == [2.5, 0]
    assert list(split.param.top) == ["ip_ip_0_split_0", "ip_ip_0_split_1"]
    assert list(loss.param.bottom) == ["ip_ip_0_split_1", "label"]


@pytest.mark.parametrize(
    ("tops", "weights", "left"),
    [
        pytest.param("loss", "loss_weight: 0.5", (0,), id="one top"),
        pytest.param("loss p", "loss_weight: 0.5 loss_weight: 3", (0, 3), id="two tops"),
    ],
)
def test_a_loss_that_is_read_elsewhere_counts_once(
    tops: str, weights: str, left: tuple[float, ...]
) -> None:
    nodes = nodes_of(
        DATA
        + layer("loss", "SoftmaxWithLoss", "data label", tops, weights)
        + layer("twice", "Power", "loss", "twice")
    )
    _, loss, split, _ = insert_splits(nodes)
    assert loss.loss_weights == left
    assert split.loss_weights == (0.5, 0)


def test_a_loss_weight_of_0_or_by_default_is_no_use() -> None:
    for weight in ("", "loss_weight: 0"):
        nodes = nodes_of(
            DATA
            + layer("loss", "SoftmaxWithLoss", "data label", "loss", weight)
            + layer("twice", "Power", "loss", "twice")
        )
        assert insert_splits(nodes) == nodes


def test_trace_leaves_out_bottoms_that_nothing_above_makes() -> None:
    nodes = nodes_of(layer("a", "ReLU", "later", "a") + layer("b", "Input", "", "later"))
    wiring = trace(nodes)
    assert wiring.sources == {}
    assert wiring.uses[1, 0] == 0
