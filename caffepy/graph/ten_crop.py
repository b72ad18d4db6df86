"""Ten crops of each image in a test: one prediction of them all for each label."""

from collections.abc import Iterator, Sequence

from caffepy.graph.graph import Node
from caffepy.graph.problem import Problem
from caffepy.graph.splits import trace
from caffepy.proto import TEST, LayerParameter

SOURCES = ("Data", "ImageData")
AVERAGE = "TenCropAverage"
LABELS = 1  # the place of labels, among the tops of a source and the bottoms of what reads them


def ask_for_ten_crops(nodes: Sequence[Node]) -> Iterator[Problem]:
    """Set ten_crop in the layers that read images for a test; a problem where there are none."""
    sources = [node.param for node in nodes if readable(node)]
    for param in sources:
        param.transform_param.ten_crop = True
    if not sources and nodes:
        text = f"ten crops are taken of images that a layer of type {' or '.join(SOURCES)} reads"
        yield nodes[0].error(f"{text}; this net has none in phase TEST")


def average_ten_crops(nodes: Sequence[Node]) -> tuple[list[Node], list[Problem]]:
    """The layers, with a TenCropAverage between the scores of ten crops and what holds them to labels.

    That is, before each SoftmaxWithLoss and Accuracy that reads the labels of a layer with ten_crop.
    Where scores are probabilities that a Softmax made, their logarithms are averaged. Returns the
    layers, and what is in the way.
    """
    wiring = trace(nodes)
    labels = {(index, LABELS) for index, node in enumerate(nodes) if takes_ten(node)}
    problems: list[Problem] = []
    made: set[str] = set()
    result: list[Node] = []
    for index, node in enumerate(nodes):
        if wiring.sources.get((index, LABELS)) not in labels or axis(node.param) is None:
            result.append(node)
            continue
        problems += obstacles(node)
        source = wiring.sources.get((index, 0))
        logs = source is not None and nodes[source[0]].param.type == "Softmax"
        added = averaging(node, logs)
        result += [new for new in added if new.param.name not in made]
        made |= {new.param.name for new in added}
        result.append(with_scores(node, added[-1].param.top[0]))
    return result, problems


def averaging(node: Node, logs: bool) -> list[Node]:
    """The layers to put before a layer so that its scores are averages, of logarithms or not."""
    scores = node.param.bottom[0]
    kinds = [(f"{scores}_log", "Log"), (f"{scores}_ten_crop", AVERAGE)]
    added: list[Node] = []
    for name, kind in kinds if logs else kinds[1:]:
        param = LayerParameter(name=name, type=kind, bottom=[scores], top=[name], phase=TEST)
        added.append(Node(param, node.position))
        scores = name
    return added


def readable(node: Node) -> bool:
    """Whether a layer reads images for a test."""
    return node.param.type in SOURCES and node.param.phase == TEST


def takes_ten(node: Node) -> bool:
    """Whether a layer gives ten crops of each image."""
    return readable(node) and node.param.transform_param.ten_crop


def axis(param: LayerParameter) -> int | None:
    """The axis of the classes, in layers that hold scores to labels; None for others."""
    axes = {
        "Accuracy": param.accuracy_param.axis,
        "SoftmaxWithLoss": param.softmax_param.axis,
    }
    return axes.get(param.type)


def obstacles(node: Node) -> Iterator[Problem]:
    """What of a layer does not go with averages."""
    if axis(node.param) != 1:
        yield node.error(f"with ten_crop the axis of the classes is 1, not {axis(node.param)}")


def with_scores(node: Node, scores: str) -> Node:
    """The same layer, reading other scores."""
    param = LayerParameter()
    param.CopyFrom(node.param)
    param.bottom[0] = scores
    return Node(param, node.position)
