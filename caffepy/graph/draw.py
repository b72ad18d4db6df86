"""Nets as graphs of layers and blobs, by pydot and Graphviz: what pycaffe calls caffe.draw.

Source: caffe/python/caffe/draw.py
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from caffepy.errors import CaffeError
from caffepy.graph.window import window_size
from caffepy.proto import ConvolutionParameter, LayerParameter, NetParameter, PoolingParameter

if TYPE_CHECKING:
    import pydot

DIRECTIONS = ("LR", "RL", "TB", "BT")
TEXTS = ("dot", "gv", "raw")  # pydot's own words, which take no Graphviz

IN_PLACE = "#90EE90"
COLORS = {
    "Convolution": "#FF5050",
    "Deconvolution": "#FF5050",
    "Pooling": "#FF9900",
    "InnerProduct": "#CC33FF",
}
OTHER = "#6495ED"
BLOB_STYLE = {"shape": "octagon", "fillcolor": "#E0E0E0", "style": "filled"}
PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)
KEYWORDS = {"digraph", "edge", "graph", "node", "strict", "subgraph"}
SPECIAL = re.compile(r'["<>{|}]')  # in the label of a box
LEARNING = ("Convolution", "Deconvolution", "InnerProduct")


class DrawError(CaffeError, ValueError):
    """A net that cannot be drawn, or not so."""


@dataclass(frozen=True)
class _Edge:
    source: str
    target: str
    label: str


def draw_net_to_file(
    caffe_net: NetParameter,
    filename: str | Path,
    rankdir: str = "LR",
    phase: int | None = None,
    display_lrm: bool = False,
) -> None:
    """Draw a net into a file, whose extension says the format: png, svg, pdf, …, or dot for text.

    Raises:
        DrawError: as `draw_net`; the file cannot be written.
    """
    path = Path(filename)
    if not path.suffix:
        raise DrawError(f"{filename}: its extension is to say the format, such as .png")
    picture = draw_net(caffe_net, rankdir, path.suffix[1:], phase, display_lrm)
    try:
        path.write_bytes(picture)
    except OSError as error:
        raise DrawError(f"cannot write {filename}: {error.strerror}") from error


def draw_net(
    caffe_net: NetParameter,
    rankdir: str,
    ext: str = "png",
    phase: int | None = None,
    display_lrm: bool = False,
) -> bytes:
    """A picture of a net, as the bytes of a file of this type.

    Args:
        caffe_net: the net.
        rankdir: where it goes: LR to the right, RL to the left, TB down, BT up.
        ext: the type of file: png, svg, pdf, …, or dot for text.
        phase: TRAIN or TEST leaves out the layers that are in the other alone.
        display_lrm: show the learning rates' factors.

    Raises:
        DrawError: pydot or Graphviz is not installed, there is no such format or direction, or a
            layer has both kinds of rules.
    """
    graph = get_pydot_graph(caffe_net, rankdir, phase=phase, display_lrm=display_lrm)
    if ext.lower() in TEXTS:
        return graph.to_string().encode()
    if shutil.which("dot") is None:
        raise DrawError(
            f"drawing a .{ext} needs Graphviz's program dot, which is not on PATH: apt install "
            "graphviz, or brew install graphviz; .dot is written without it"
        )
    try:
        return cast("bytes", graph.create(format=ext))
    except AssertionError as error:  # how pydot says that dot failed
        raise DrawError(f"Graphviz cannot draw the net as .{ext}: {error}") from error


def get_pydot_graph(
    caffe_net: NetParameter,
    rankdir: str,
    label_edges: bool = True,
    phase: int | None = None,
    display_lrm: bool = False,
) -> "pydot.Dot":
    """A net as a graph: boxes for layers, octagons for blobs, plain ovals for what nobody reads.

    label_edges: say at an edge to a top how many outputs, or items, it has. Other arguments and
    errors are `draw_net`'s.
    """
    library = _import_pydot()
    if rankdir not in DIRECTIONS:
        raise DrawError(f"rankdir is {rankdir!r}; it is one of {', '.join(DIRECTIONS)}")
    nodes = {}
    edges: list[_Edge] = []
    for layer in caffe_net.layer:
        if phase is not None and not _included(layer, phase):
            continue
        name = f"{layer.name}_{layer.type}"
        label = get_layer_label(layer, rankdir, display_lrm)
        nodes[name] = library.Node(label, shape="record", fillcolor=_color(layer), style="filled")
        for bottom in layer.bottom:
            nodes[f"{bottom}_blob"] = library.Node(_quoted(bottom), **BLOB_STYLE)
            edges.append(_Edge(f"{bottom}_blob", name, '""'))
        for top in layer.top:
            nodes[f"{top}_blob"] = library.Node(_quoted(top))
            edges.append(_Edge(name, f"{top}_blob", get_edge_label(layer) if label_edges else '""'))
    graph: pydot.Dot = library.Dot(
        _quoted(caffe_net.name or "Net"), graph_type="digraph", rankdir=rankdir
    )
    for node in nodes.values():
        graph.add_node(node)
    for edge in edges:
        graph.add_edge(library.Edge(nodes[edge.source], nodes[edge.target], label=edge.label))
    return graph


def get_layer_label(layer: LayerParameter, rankdir: str, display_lrm: bool = False) -> str:
    """What a layer's box says, in double quotes: its name, type and window.

    On lines of their own where the net goes to the side.
    """
    separator = " " if rankdir in ("TB", "BT") else r"\n"
    words = [SPECIAL.sub(r"\\\g<0>", layer.name), f"({_type(layer)})"]
    if layer.type in ("Convolution", "Deconvolution"):
        words += _window(layer.convolution_param)
    elif layer.type == "Pooling":
        words += _window(layer.pooling_param)
    if display_lrm and layer.type in LEARNING and any(factors := get_layer_lr_mult(layer)):
        words.append("lr mult: " + ", ".join(f"{factor:.1f}" for factor in factors))
    return f'"{separator.join(words)}"'


def get_edge_label(layer: LayerParameter) -> str:
    """What stands at the edges to a layer's tops: its outputs, or the size of its batches."""
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    if layer.type == "InnerProduct":
        return str(layer.inner_product_param.num_output)
    return '""'


def get_layer_lr_mult(layer: LayerParameter) -> tuple[float, float]:
    """The learning rates' factors of the weights and the biases.

    Raises:
        DrawError: the layer is none with weights and biases, or has more than two `param`.
    """
    if layer.type not in LEARNING:
        raise DrawError(f"{layer.type} layers do not have a learning rate multiplier")
    factors = [param.lr_mult for param in layer.param]
    if len(factors) > 2:
        raise DrawError(f"layer {layer.name!r}: {len(factors)} params, for weights and biases")
    weight, bias = [*factors, 1.0, 1.0][:2]
    return weight, bias


def get_pooling_types_dict() -> dict[int, str]:
    """The names of the ways of pooling by their numbers."""
    return {number: name for name, number in PoolingParameter.PoolMethod.items()}


def choose_color_by_layertype(layertype: str) -> str:
    """The colour of a layer's box."""
    return COLORS.get(layertype, OTHER)


def _color(layer: LayerParameter) -> str:
    in_place = len(layer.bottom) == 1 and layer.bottom == layer.top
    return IN_PLACE if in_place else choose_color_by_layertype(layer.type)


def _included(layer: LayerParameter, phase: int) -> bool:
    """Whether a layer may be in the net in this phase, whatever else its rules say."""
    if layer.include and layer.exclude:
        raise DrawError(f"layer {layer.name!r} has both include and exclude rules")
    if layer.include:
        return any(not rule.HasField("phase") or rule.phase == phase for rule in layer.include)
    return not any(rule.HasField("phase") and rule.phase == phase for rule in layer.exclude)


def _type(layer: LayerParameter) -> str:
    if layer.type == "Pooling":
        return f"Pooling {get_pooling_types_dict()[layer.pooling_param.pool]}"
    return layer.type


def _window(param: ConvolutionParameter | PoolingParameter) -> list[str]:
    """What a window is like: one number, or by axis where they differ."""
    if isinstance(param, PoolingParameter) and param.global_pooling:
        return ["global"]
    return [
        f"kernel size: {window_size(param, 'kernel')}",
        f"stride: {window_size(param, 'stride')}",
        f"pad: {window_size(param, 'pad')}",
    ]


def _quoted(name: str) -> str:
    """A name as Graphviz takes it: in quotes where it would mean something else."""
    if PLAIN.fullmatch(name) and name.lower() not in KEYWORDS:
        return name
    return '"{}"'.format(name.replace('"', r"\""))


def _import_pydot() -> ModuleType:
    try:
        import pydot
    except ImportError as error:
        raise DrawError(
            "drawing nets takes pydot, which is not installed: pip install 'caffepy[draw]'"
        ) from error
    return pydot
