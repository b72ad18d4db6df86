"""Nets as graphs; pictures where Graphviz is there to make them."""

import shutil
import sys
from pathlib import Path

import pydot
import pytest

from caffepy.errors import CaffeError
from caffepy.graph.draw import (
    choose_color_by_layertype,
    draw_net,
    draw_net_to_file,
    get_edge_label,
    get_layer_label,
    get_layer_lr_mult,
    get_pooling_types_dict,
    get_pydot_graph,
)
from caffepy.proto import TEST, TRAIN, LayerParameter, NetParameter
from caffepy.proto.files import read_text
from caffepy.proto.text import parse_text

ROOT = Path(__file__).parents[2]
SHIPPED = [
    path
    for folder in ("examples", "models")
    for path in (ROOT / folder).rglob("*.prototxt")
    if "solver" not in path.name
]
NET = """
name: "small"
layer { name: "data" type: "Data" top: "data" top: "label" data_param { batch_size: 64 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 20 kernel_size: 5 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" include { phase: TRAIN } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "conv" bottom: "label" top: "loss"
        exclude { phase: TEST } }
layer { name: "acc" type: "Accuracy" bottom: "conv" bottom: "label" top: "acc"
        include { stage: "checked" } }
"""
BLUE, RED, GREEN, BLOB = "#6495ED", "#FF5050", "#90EE90", "#E0E0E0"


def net(text: str = NET) -> NetParameter:
    return parse_text(text.encode(), NetParameter, "net")[0]


def layer(text: str) -> LayerParameter:
    return parse_text(text.encode(), LayerParameter, "layer")[0]


def bare(text: object) -> str:
    return str(text).strip('"')


def colors(graph: pydot.Dot) -> dict[str, str | None]:
    """The colour of each layer, and of each "x blob", by its name; None for a plain one."""
    found: dict[str, str | None] = {}
    for node in graph.get_nodes():
        name, *more = bare(node.get_name()).split(r"\n")
        fill = node.get("fillcolor")
        found[name if more else f"{name} blob"] = bare(fill) if fill else None
    return found


def edges(graph: pydot.Dot) -> list[tuple[str, str, str]]:
    return [
        (
            bare(edge.get_source()).split(r"\n")[0],
            bare(edge.get_destination()).split(r"\n")[0],
            bare(edge.get("label")),
        )
        for edge in graph.get_edges()
    ]


def test_layers_and_blobs_are_nodes() -> None:
    graph = get_pydot_graph(net(), "LR")

    assert (graph.get_name(), graph.get("rankdir")) == ("small", "LR")
    assert colors(graph) == {
        "data": BLUE,
        "conv": RED,
        "relu": GREEN,
        "loss": BLUE,
        "acc": BLUE,
        "data blob": BLOB,
        "label blob": BLOB,
        "conv blob": BLOB,
        "loss blob": None,
        "acc blob": None,
    }


def test_edges_go_from_bottoms_and_to_tops() -> None:
    graph = get_pydot_graph(net(), "LR", phase=TEST)

    assert edges(graph) == [
        ("data", "data", "Batch 64"),
        ("data", "label", "Batch 64"),
        ("data", "conv", ""),
        ("conv", "conv", "20"),
        ("conv", "acc", ""),
        ("label", "acc", ""),
        ("acc", "acc", ""),
    ]


def test_edges_without_labels() -> None:
    assert {label for *_, label in edges(get_pydot_graph(net(), "TB", label_edges=False))} == {""}


@pytest.mark.parametrize(
    ("phase", "left_out"),
    [
        pytest.param(None, set(), id="all"),
        pytest.param(TRAIN, set(), id="train"),
        pytest.param(TEST, {"relu", "loss", "loss blob"}, id="test"),
    ],
)
def test_layers_of_the_other_phase_alone_are_left_out(
    phase: int | None, left_out: set[str]
) -> None:
    everything = colors(get_pydot_graph(net(), "LR"))

    assert everything.keys() - colors(get_pydot_graph(net(), "LR", phase=phase)) == left_out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param('name: "r" type: "ReLU"', ["r", "(ReLU)"], id="no window"),
        pytest.param(
            'name: "p" type: "Pooling" pooling_param { pool: AVE kernel_size: 3 stride: 2 }',
            ["p", "(Pooling AVE)", "kernel size: 3", "stride: 2", "pad: 0"],
            id="pooling",
        ),
        pytest.param(
            'name: "p" type: "Pooling" pooling_param { pool: AVE global_pooling: true }',
            ["p", "(Pooling AVE)", "global"],
            id="global pooling",
        ),
        pytest.param(
            'name: "c" type: "Convolution" convolution_param { num_output: 2 kernel_size: 3 pad: 1 }',
            ["c", "(Convolution)", "kernel size: 3", "stride: 1", "pad: 1"],
            id="convolution",
        ),
        pytest.param(
            'name: "c" type: "Deconvolution" convolution_param { kernel_h: 3 kernel_w: 5 stride: 2 }',
            ["c", "(Deconvolution)", "kernel size: 3x5", "stride: 2", "pad: 0"],
            id="sizes by axis",
        ),
        pytest.param(
            'name: "c" type: "Convolution" convolution_param { kernel_size: 1 kernel_size: 3 }',
            ["c", "(Convolution)", "kernel size: 1x3", "stride: 1", "pad: 0"],
            id="sizes in a list",
        ),
    ],
)
@pytest.mark.parametrize(
    ("rankdir", "separator"), [("LR", r"\n"), ("RL", r"\n"), ("TB", " "), ("BT", " ")]
)
def test_the_box_of_a_layer(text: str, words: list[str], rankdir: str, separator: str) -> None:
    assert get_layer_label(layer(text), rankdir) == f'"{separator.join(words)}"'


@pytest.mark.parametrize(
    ("params", "said"),
    [
        pytest.param("", " lr mult: 1.0, 1.0", id="none"),
        pytest.param("param { lr_mult: 0.1 }", " lr mult: 0.1, 1.0", id="one"),
        pytest.param("param { lr_mult: 3 } param { lr_mult: 2 }", " lr mult: 3.0, 2.0", id="two"),
        pytest.param("param { lr_mult: 0 } param { lr_mult: 0 }", "", id="both 0"),
    ],
)
def test_learning_rates(params: str, said: str) -> None:
    product = layer(f'name: "ip" type: "InnerProduct" {params}')

    assert get_layer_label(product, "TB", display_lrm=True) == f'"ip (InnerProduct){said}"'
    assert get_layer_label(product, "TB") == '"ip (InnerProduct)"'


def test_learning_rates_of_what_learns_otherwise() -> None:
    assert get_layer_label(layer('name: "r" type: "ReLU"'), "TB", True) == '"r (ReLU)"'
    with pytest.raises(ValueError, match="ReLU layers do not have a learning rate multiplier"):
        get_layer_lr_mult(layer('type: "ReLU"'))
    with pytest.raises(ValueError, match="3 params"):
        get_layer_lr_mult(layer('type: "InnerProduct" param {} param {} param {}'))


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ('type: "InnerProduct" inner_product_param { num_output: 10 }', "10"),
        ('type: "Deconvolution" convolution_param { num_output: 7 }', "7"),
        ('type: "ReLU"', '""'),
    ],
    ids=["InnerProduct", "Deconvolution", "ReLU"],
)
def test_the_label_of_an_edge(text: str, label: str) -> None:
    assert get_edge_label(layer(text)) == label


def test_the_names_of_ways_and_colours() -> None:
    assert get_pooling_types_dict() == {0: "MAX", 1: "AVE", 2: "STOCHASTIC"}
    assert choose_color_by_layertype("Pooling") == "#FF9900"
    assert choose_color_by_layertype("InnerProduct") == "#CC33FF"
    assert choose_color_by_layertype("LRN") == BLUE


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pydot's parser, by pyparsing
@pytest.mark.parametrize("name", ["a:b", "res2a/bn", "1x", 'q"r', "edge", "with space", "a|{b}"])
def test_names_of_any_kind(name: str) -> None:
    """Text that reads as a graph of the same nodes again."""
    small = NetParameter(name=name)
    small.layer.add(name=name, type="LRN", bottom=[name], top=["top"])

    graphs = pydot.graph_from_dot_data(get_pydot_graph(small, "LR").to_string())

    assert graphs is not None
    (graph,) = graphs
    assert len(graph.get_nodes()) == 3
    assert len(graph.get_edges()) == 2


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_shipped_nets_become_text(path: Path) -> None:
    text = draw_net(read_text(path, NetParameter)[0], "LR", "dot")

    assert text.startswith(b"digraph ")


def test_a_file_of_text(tmp_path: Path) -> None:
    path = tmp_path / "net.dot"

    draw_net_to_file(net(), str(path), "BT", TEST, True)

    assert path.read_bytes() == draw_net(net(), "BT", "dot", TEST, True)
    assert b"lr mult: 1.0, 1.0" in path.read_bytes()


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
def test_a_picture(tmp_path: Path) -> None:
    draw_net_to_file(net(), tmp_path / "net.png")

    assert (tmp_path / "net.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(CaffeError, match=r"cannot draw the net as \.nosuch"):
        draw_net(net(), "LR", "nosuch")


def test_without_graphviz(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(CaffeError, match="Graphviz's program dot, which is not on PATH"):
        draw_net(net(), "LR")


def test_without_pydot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydot", None)

    with pytest.raises(CaffeError, match=r"pip install 'caffepy\[draw\]'"):
        get_pydot_graph(net(), "LR")


@pytest.mark.parametrize(
    ("text", "name", "rankdir", "message"),
    [
        pytest.param(NET, "net", "LR", "net: its extension is to say", id="no extension"),
        pytest.param(NET, "none/net.dot", "LR", "none/net.dot: No such file", id="no folder"),
        pytest.param(NET, "net.dot", "UP", "rankdir is 'UP'; it is one of LR", id="direction"),
        pytest.param(
            'layer { name: "a" type: "ReLU" include {} exclude {} }',
            "net.dot",
            "LR",
            "layer 'a' has both include and exclude",
            id="rules",
        ),
    ],
)
def test_what_cannot_be_drawn(
    tmp_path: Path, text: str, name: str, rankdir: str, message: str
) -> None:
    with pytest.raises(CaffeError, match=message):
        draw_net_to_file(net(text), tmp_path / name, rankdir, TEST)
