"""Nets from prototxt text, for the tests of this folder."""

from caffepy.graph.graph import Graph
from caffepy.graph.load import make_graph
from caffepy.net.build import build_net
from caffepy.net.net import Net
from caffepy.proto import TEST, TRAIN, NetParameter, NetState
from caffepy.proto.files import parse_text


def graph_of(text: str, *, train: bool = False) -> Graph:
    """The graph of a prototxt given as text."""
    message, position = parse_text(text.encode(), NetParameter, "net.prototxt")
    return make_graph(message, position, NetState(phase=TRAIN if train else TEST))


def net_of(text: str, *, train: bool = False) -> Net:
    """The net of a prototxt given as text."""
    return build_net(graph_of(text, train=train))
