import pytest

from caffepy.errors import NetError
from caffepy.graph.graph import Graph
from caffepy.graph.load import make_graph
from caffepy.proto import TEST, TRAIN, NetParameter, NetState, Phase
from caffepy.proto.files import parse_text
from tests.graph.nets import LENET, graph_of, layer

TEN = "transform_param { crop_size: 24 ten_crop: true }"
DATA = layer("in", "Data", "", "x y", f'data_param {{ source: "db" batch_size: 2 }} {TEN}')
IP = layer("ip", "InnerProduct", "x", "ip", "inner_product_param { num_output: 3 }")
LOSS = layer("loss", "SoftmaxWithLoss", "ip y", "loss")
ACCURACY = layer("accuracy", "Accuracy", "ip y", "accuracy")


def wiring(graph: Graph) -> list[str]:
    """Each layer that reads something, but for Splits, as "name: bottoms > tops"."""
    return [
        f"{node.param.name}: {' '.join(node.param.bottom)} > {' '.join(node.param.top)}"
        for node in graph.nodes
        if node.param.bottom and node.param.type != "Split"
    ]


def test_what_reads_scores_and_labels_reads_the_average() -> None:
    assert wiring(graph_of(DATA + IP + LOSS)) == [
        "ip: x > ip",
        "ip_ten_crop: ip > ip_ten_crop",
        "loss: ip_ten_crop y > loss",
    ]


def test_two_readers_share_the_average() -> None:
    assert wiring(graph_of(DATA + IP + LOSS + ACCURACY)) == [
        "ip: x > ip",
        "ip_ten_crop: ip > ip_ten_crop",
        "loss: ip_ten_crop_ip_ten_crop_0_split_0 y_in_1_split_0 > loss",
        "accuracy: ip_ten_crop_ip_ten_crop_0_split_1 y_in_1_split_1 > accuracy",
    ]


def test_each_of_several_scores_has_its_own() -> None:
    second = IP.replace('"ip"', '"ip2"')
    graph = graph_of(DATA + IP + second + LOSS + ACCURACY.replace('"ip"', '"ip2"'))

    names = [node.param.name for node in graph.nodes if node.param.type == "TenCropAverage"]
    assert names == ["ip_ten_crop", "ip2_ten_crop"]


def test_probabilities_are_averaged_by_their_logarithms() -> None:
    softmax = layer("prob", "Softmax", "ip", "prob")

    assert wiring(graph_of(DATA + IP + softmax + ACCURACY.replace('"ip"', '"prob"')))[2:] == [
        "prob_log: prob > prob_log",
        "prob_ten_crop: prob_log > prob_ten_crop",
        "accuracy: prob_ten_crop y > accuracy",
    ]


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        pytest.param(DATA + IP + LOSS, TRAIN, id="training"),
        pytest.param((DATA + IP + LOSS).replace(TEN, ""), TEST, id="not asked for"),
        pytest.param(DATA + layer("quiet", "Silence", "x y"), TEST, id="no scores"),
    ],
)
def test_other_nets_stay_as_they_are(text: str, phase: Phase) -> None:
    assert "ten_crop" not in " ".join(wiring(graph_of(text, phase)))


def ten_crops_of(text: str, phase: Phase = TEST) -> Graph:
    net, position = parse_text(text.encode(), NetParameter, "net.prototxt")
    return make_graph(net, position, NetState(phase=phase), ten_crop=True)


def test_asked_for_from_outside() -> None:
    graph = ten_crops_of(LENET)

    assert graph.nodes[0].param.transform_param.ten_crop
    assert "ip2_ten_crop: ip2 > ip2_ten_crop" in wiring(graph)


@pytest.mark.parametrize(
    ("text", "phase"),
    [(layer("in", "Input", "", "x"), TEST), (LENET, TRAIN)],
    ids=["no images", "training"],
)
def test_refuses_nets_that_read_no_images_for_a_test(text: str, phase: Phase) -> None:
    with pytest.raises(NetError, match="of type Data or ImageData reads; this net has none in pha"):
        ten_crops_of(text, phase)


@pytest.mark.parametrize(
    "text",
    [
        LOSS.replace(" }", " softmax_param { axis: 2 } }"),
        ACCURACY.replace(" }", " accuracy_param { axis: 2 } }"),
    ],
    ids=["SoftmaxWithLoss", "Accuracy"],
)
def test_refuses_classes_along_another_axis(text: str) -> None:
    with pytest.raises(NetError, match="with ten_crop the axis of the classes is 1, not 2"):
        graph_of(DATA + IP + text)
