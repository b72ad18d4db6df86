"""From a graph of messages to a net of layers."""

from typing import TypeVar

import torch

from caffepy.data.ahead import WORKERS
from caffepy.errors import DataError, LayerError
from caffepy.fillers import check_size
from caffepy.graph.graph import Graph, Node
from caffepy.layers.layer import (
    Layer,
    Shape,
    Source,
    SourceLayer,
    build,
    build_source,
    layer_class,
)
from caffepy.net.net import Net, Step
from caffepy.net.summary import log_net
from caffepy.proto import TRAIN, LayerParameter
from caffepy.proto.arrays import to_array

N = TypeVar("N", bound=Net)


def build_net(
    graph: Graph,
    *,
    device: str | torch.device = "cpu",
    seed: int = 0,
    workers: int = WORKERS,
) -> Net:
    """Build every layer of a graph in file order, with its fillers, on a device.

    Args:
        graph: what `caffepy.graph.load.load_graph` returned.
        device: where the blobs are and the layers run.
        seed: of what data layers draw; parameters are filled from torch's own generator.
        workers: how many threads make the batches of each data layer; the batches are the same.

    Raises:
        LayerError: a layer whose message or bottoms are wrong, with its place in the file.
        DataError: a database that cannot be read.
    """
    return assemble(Net(graph, torch.device(device)), seed, workers=workers)


def assemble(net: N, seed: int, *, workers: int = WORKERS, rank: int = 0, world: int = 1) -> N:
    """Build the layers of an empty net's graph into it, as `build_net` does.

    rank, world: which of how many processes that train together this is.
    """
    for node in net.graph.nodes:
        source = Source(
            training=node.param.phase == TRAIN,
            device=net.device,
            seed=seed,
            rank=rank,
            world=world,
            workers=workers,
        )
        bottoms = [net.shapes[name] for name in node.param.bottom]
        try:
            layer, tops = _layer(node, bottoms, source)
            net.append(layer, _step(node, forced=net.graph.force_backward), tops)
        except LayerError as error:
            place = node.position.at(*error.field.split(".")) if error.field else node.position
            raise LayerError(f"{place}: {error}", error.field) from error
        except DataError as error:
            raise DataError(f"{node.position}: {error}") from error
    net.loss_weights.update(net.graph.loss_weights)
    if not net.graph.force_backward:
        net.blobs.freeze()
    log_net(net)
    return net


def _layer(node: Node, bottoms: list[Shape], source: Source) -> tuple[Layer, list[Shape]]:
    """The layer of a node, ready to run, and the shapes of its tops."""
    reads = issubclass(layer_class(node.param), SourceLayer)
    layer = build_source(node.param, source) if reads else build(node.param, *bottoms)
    if node.param.blobs:
        _take_blobs(layer, node.param)
    layer.train(source.training).to(source.device)
    shapes = layer.top_shapes(*bottoms)
    for name, shape in zip(node.param.top, shapes, strict=True):
        try:
            check_size(shape)
        except LayerError as error:
            raise layer.error(f"top {name!r}: {error}", "top") from error
    return layer, shapes


@torch.no_grad()
def _take_blobs(layer: Layer, param: LayerParameter) -> None:
    """Let the blobs that the message carries take the place of what the fillers drew."""
    targets = list(layer.parameters())
    if len(param.blobs) != len(targets):
        raise layer.error(f"{len(param.blobs)} blobs given, the layer has {len(targets)}", "blobs")
    for index, (blob, target) in enumerate(zip(param.blobs, targets, strict=True)):
        given = to_array(blob)
        if given.shape != target.shape:
            raise layer.error(
                f"blob {index} is given with shape {given.shape}, the layer's has "
                f"{tuple(target.shape)}",
                "blobs",
            )
        target.copy_(torch.from_numpy(given))


def _step(node: Node, *, forced: bool) -> Step:
    """How the layer of a node is wired; `force_backward` overrules what it says of gradients."""
    param = node.param
    down = () if forced else tuple(param.propagate_down)
    return Step(param.name, tuple(param.bottom), tuple(param.top), down)
