"""Graphs from prototxt text, for the tests of this folder."""

from caffepy.graph.graph import Graph, Node
from caffepy.graph.load import make_graph
from caffepy.proto import TEST, NetParameter, NetState, Phase
from caffepy.proto.files import parse_text

LENET = """
name: "LeNet"
layer { name: "mnist" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { scale: 0.00390625 }
  data_param { source: "mnist_train_lmdb" batch_size: 64 backend: LMDB } }
layer { name: "mnist" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { scale: 0.00390625 }
  data_param { source: "mnist_test_lmdb" batch_size: 100 backend: LMDB } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 20 kernel_size: 5 weight_filler { type: "xavier" } } }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
  convolution_param { num_output: 50 kernel_size: 5 weight_filler { type: "xavier" } } }
layer { name: "pool2" type: "Pooling" bottom: "conv2" top: "pool2"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "ip1" type: "InnerProduct" bottom: "pool2" top: "ip1"
  inner_product_param { num_output: 500 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip2" bottom: "label" top: "accuracy"
  include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }
"""


def nodes_of(text: str) -> list[Node]:
    """The layers of a prototxt, neither filtered nor checked."""
    net, position = parse_text(text.encode(), NetParameter, "net.prototxt")
    return [Node(param, position.at("layer", index)) for index, param in enumerate(net.layer)]


def graph_of(text: str, phase: Phase = TEST) -> Graph:
    """The graph of a prototxt in a phase."""
    net, position = parse_text(text.encode(), NetParameter, "net.prototxt")
    return make_graph(net, position, NetState(phase=phase))


def layer(name: str, kind: str, bottoms: str = "", tops: str = "", more: str = "") -> str:
    """One layer as text; bottoms and tops are blob names with spaces between."""
    wires = [f'bottom: "{blob}"' for blob in bottoms.split()]
    wires += [f'top: "{blob}"' for blob in tops.split()]
    return f'layer {{ name: "{name}" type: "{kind}" {" ".join(wires)} {more} }}\n'


def place(text: str, snippet: str) -> str:
    """Where a snippet first stands in a net given as text."""
    before = text[: text.index(snippet)].split("\n")
    return f"net.prototxt:{len(before)}:{len(before[-1]) + 1}"
