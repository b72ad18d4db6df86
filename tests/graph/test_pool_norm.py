from collections.abc import Sequence
from pathlib import Path

import pytest

from caffepy.errors import NetError
from caffepy.graph.graph import Node
from caffepy.graph.load import load_graph, make_graph
from caffepy.graph.pool_norm import reorder, resolve
from caffepy.graph.solver_nets import read_solver, train_graph
from caffepy.graph.solver_nets import test_graphs as graphs_to_test
from caffepy.proto import TEST, TRAIN, LayerParameter, NetParameter, NetState, PoolNormOrder
from caffepy.proto.files import parse_text
from tests.graph.nets import graph_of, layer, nodes_of

NORM_FIRST, POOL_FIRST = PoolNormOrder.NORM_FIRST, PoolNormOrder.POOL_FIRST
MODELS = Path(__file__).parents[2] / "models"
INPUT = layer("in", "Input", "", "x")
READER = layer("ip", "InnerProduct", "%s", "ip")
POOL_NORM = INPUT + layer("pool", "Pooling", "x", "p") + layer("norm", "LRN", "p", "n")
NORM_POOL = INPUT + layer("norm", "LRN", "x", "n") + layer("pool", "Pooling", "n", "p")


def wiring(nodes: Sequence[Node]) -> str:
    """Each layer as "name: bottoms > tops"."""
    return ", ".join(
        f"{n.param.name}: {' '.join(n.param.bottom)} > {' '.join(n.param.top)}" for n in nodes[1:]
    )


@pytest.mark.parametrize(
    ("text", "order", "expected"),
    [
        pytest.param(
            POOL_NORM + READER % "n", NORM_FIRST, "norm: x > n, pool: n > p, ip: p > ip", id="norm"
        ),
        pytest.param(
            NORM_POOL + READER % "p", POOL_FIRST, "pool: x > p, norm: p > n, ip: n > ip", id="pool"
        ),
        pytest.param(POOL_NORM, POOL_FIRST, "pool: x > p, norm: p > n", id="is so already"),
        pytest.param(
            POOL_NORM, PoolNormOrder.AS_WRITTEN, "pool: x > p, norm: p > n", id="as written"
        ),
        pytest.param(POOL_NORM, NORM_FIRST, "norm: x > n, pool: n > p", id="an output"),
        pytest.param(
            POOL_NORM + layer("relu", "ReLU", "n", "n") + READER % "n",
            NORM_FIRST,
            "norm: x > n, pool: n > p, relu: p > p, ip: p > ip",
            id="changed in place later",
        ),
        pytest.param(
            POOL_NORM + READER % "n" + layer("sum", "Eltwise", "ip n", "sum"),
            NORM_FIRST,
            "norm: x > n, pool: n > p, ip: p > ip, sum: ip p > sum",
            id="read twice later",
        ),
        pytest.param(
            INPUT + layer("pool", "Pooling", "x", "p") + layer("norm", "LRN", "p", "p"),
            NORM_FIRST,
            "norm: x > x, pool: x > p",
            id="second in place",
        ),
        pytest.param(
            INPUT + layer("norm", "LRN", "x", "x") + layer("pool", "Pooling", "x", "p"),
            POOL_FIRST,
            "pool: x > p, norm: p > p",
            id="first in place",
        ),
        pytest.param(
            INPUT
            + layer("pool", "Pooling", "x", "p mask")
            + layer("norm", "LRN", "p", "n")
            + layer("off", "Silence", "n mask"),
            NORM_FIRST,
            "norm: x > n, pool: n > p mask, off: p mask > ",
            id="mask",
        ),
        pytest.param(
            INPUT + layer("pool", "Pooling", "x", "p mask") + layer("norm", "LRN", "mask", "n"),
            NORM_FIRST,
            "pool: x > p mask, norm: mask > n",
            id="reads the mask only",
        ),
        pytest.param(
            INPUT
            + layer("pool", "Pooling", "x", "p")
            + layer("other", "ReLU", "x", "o")
            + layer("norm", "LRN", "p", "n"),
            NORM_FIRST,
            "norm: x > n, other: x > o, pool: n > p",
            id="another layer between",
        ),
        pytest.param(
            INPUT
            + layer("pool1", "Pooling", "x", "p1")
            + layer("pool2", "Pooling", "p1", "p2")
            + layer("norm", "LRN", "p2", "n"),
            NORM_FIRST,
            "norm: x > n, pool1: n > p1, pool2: p1 > p2",
            id="past both poolings",
        ),
        pytest.param(
            INPUT
            + layer("pool", "Pooling", "x", "p")
            + layer("relu", "ReLU", "p", "p")
            + layer("norm", "LRN", "p", "n"),
            NORM_FIRST,
            "pool: x > p, relu: p > p, norm: p > n",
            id="no neighbours",
        ),
    ],
)
def test_neighbours_change_places(text: str, order: PoolNormOrder, expected: str) -> None:
    nodes, problems = reorder(nodes_of(text), order)

    assert (wiring(nodes), problems) == (expected, [])


def test_layers_keep_their_settings_and_their_places_in_the_file() -> None:
    text = POOL_NORM.replace('top: "p"', 'top: "p" pooling_param { kernel_size: 3 }')

    _, norm, pool = reorder(nodes_of(text), NORM_FIRST)[0]

    assert (str(norm.position), str(pool.position)) == ("net.prototxt:3:1", "net.prototxt:2:1")
    assert pool.param.pooling_param.kernel_size == 3


def test_what_was_given_is_left_as_it_was() -> None:
    nodes = nodes_of(POOL_NORM + READER % "n")

    reorder(nodes, NORM_FIRST)

    assert wiring(nodes) == "pool: x > p, norm: p > n, ip: n > ip"


@pytest.mark.parametrize(
    ("more", "use"),
    [
        (READER % "p", "is read by 'ip' too"),
        (layer("norm2", "LRN", "p", "n2"), "is read by 'norm2' too"),
    ],
    ids=["another layer", "two normalisations"],
)
def test_a_blob_between_with_another_reader_is_refused(more: str, use: str) -> None:
    with pytest.raises(NetError) as caught:
        graph_of("pool_norm_order: NORM_FIRST\n" + POOL_NORM + more)

    assert str(caught.value).splitlines()[0] == (
        "net.prototxt:4:1: layer 'norm': cannot change places with layer 'pool', as pool_norm_order "
        f"NORM_FIRST wants: blob 'p' {use}"
    )


def test_a_blob_between_with_a_loss_weight_is_refused() -> None:
    weighted = POOL_NORM.replace('top: "p"', 'top: "p" loss_weight: 1')

    with pytest.raises(NetError, match="blob 'p' has a loss weight"):
        graph_of("pool_norm_order: NORM_FIRST " + weighted)


def test_what_cannot_be_in_place_is_refused() -> None:
    """The normalisation would change x, which `other` reads."""
    text = (
        INPUT
        + layer("pool", "Pooling", "x", "p")
        + layer("other", "ReLU", "x", "o")
        + layer("norm", "LRN", "p", "p")
    )

    with pytest.raises(NetError, match="NORM_FIRST wants: blob 'x' is read by 'other' too"):
        graph_of("pool_norm_order: NORM_FIRST " + text)


@pytest.mark.parametrize(
    "text",
    [
        INPUT + layer("pool", "Pooling", "x", "p") + layer("norm", "LRN", "p"),
        layer("pool", "Pooling", "", "p") + layer("norm", "LRN", "p", "n"),
    ],
    ids=["no top", "no bottom"],
)
def test_layers_without_an_end_are_refused_as_such(text: str) -> None:
    with pytest.raises(NetError, match=r"has 0 (tops|bottoms)"):
        graph_of("pool_norm_order: NORM_FIRST " + text)


def test_only_layers_of_the_phase_count() -> None:
    text = POOL_NORM + layer("ip", "InnerProduct", "p", "ip", "include { phase: TRAIN }")

    graph = graph_of("pool_norm_order: NORM_FIRST " + text, TEST)

    assert wiring(graph.nodes) == "norm: x > n, pool: n > p"
    with pytest.raises(NetError, match="read by 'ip' too"):
        graph_of("pool_norm_order: NORM_FIRST " + text, TRAIN)


def test_splits_come_after_the_new_last_layer() -> None:
    text = POOL_NORM + layer("a", "ReLU", "n", "a") + layer("b", "ReLU", "n", "b")

    graph = graph_of("pool_norm_order: NORM_FIRST " + text)

    assert wiring(graph.nodes) == (
        "norm: x > n, pool: n > p, p_pool_0_split: p > p_pool_0_split_0 p_pool_0_split_1, "
        "a: p_pool_0_split_0 > a, b: p_pool_0_split_1 > b"
    )


def test_an_order_that_is_given_takes_the_place_of_the_nets() -> None:
    net, position = parse_text(
        b"pool_norm_order: NORM_FIRST " + POOL_NORM.encode(), NetParameter, "net.prototxt"
    )

    written = make_graph(net, position, NetState(), PoolNormOrder.AS_WRITTEN)

    assert wiring(written.nodes) == "pool: x > p, norm: p > n"


def test_a_resolved_net_is_in_plain_layers() -> None:
    text = "name: 'net' pool_norm_order: NORM_FIRST " + POOL_NORM + READER % "n"
    net, _ = parse_text(text.encode(), NetParameter, "net.prototxt")

    plain = resolve(net)

    assert wiring([Node(p, nodes_of(INPUT)[0].position) for p in plain.layer]) == (
        "norm: x > n, pool: n > p, ip: p > ip"
    )
    assert not plain.HasField("pool_norm_order")
    assert plain.name == "net"
    assert net.layer[1].name == "pool"


def test_a_net_that_cannot_be_resolved_is_refused() -> None:
    text = "name: 'net' pool_norm_order: NORM_FIRST " + POOL_NORM + READER % "p"
    net, _ = parse_text(text.encode(), NetParameter, "net.prototxt")

    with pytest.raises(NetError, match=r"^net 'net': layer 'norm': cannot change places"):
        resolve(net)


def without_biases(nodes: Sequence[Node]) -> list[LayerParameter]:
    """The layers, but for the numbers that their biases begin with."""
    layers = []
    for node in nodes:
        param = LayerParameter()
        param.CopyFrom(node.param)
        if param.type == "Convolution":
            param.convolution_param.bias_filler.ClearField("value")
        if param.type == "InnerProduct":
            param.inner_product_param.bias_filler.ClearField("value")
        layers.append(param)
    return layers


@pytest.mark.parametrize("file", ["train_val.prototxt", "deploy.prototxt"])
@pytest.mark.parametrize(
    ("model", "order", "other"),
    [
        ("bvlc_caffenet", NORM_FIRST, "bvlc_alexnet"),
        ("bvlc_alexnet", POOL_FIRST, "bvlc_caffenet"),
    ],
)
def test_caffenet_and_alexnet_are_one_net_in_two_orders(
    model: str, order: PoolNormOrder, other: str, file: str
) -> None:
    state = NetState(phase=TRAIN)

    made = load_graph(MODELS / model / file, state, order)

    expected = load_graph(MODELS / other / file, state)
    assert without_biases(made.nodes) == without_biases(expected.nodes)
    assert made.outputs == expected.outputs


def test_a_solver_reads_its_nets_in_the_order_that_is_given(tmp_path: Path) -> None:
    text = (MODELS / "bvlc_caffenet/solver.prototxt").read_text()
    path = tmp_path / "solver.prototxt"
    path.write_text(text.replace('net: "models', f'net: "{MODELS}'))

    solver = read_solver(path, NORM_FIRST)

    for graph in (train_graph(solver), graphs_to_test(solver)[0]):
        names = [node.param.name for node in graph.nodes]
        assert names.index("norm1") == names.index("pool1") - 1
