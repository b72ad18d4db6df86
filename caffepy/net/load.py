"""From a prototxt on disk to a net, in one call."""

from pathlib import Path
from typing import Literal

import torch

from caffepy.graph.load import load_graph
from caffepy.net.build import build_net
from caffepy.net.net import Net
from caffepy.net.weights import copy_weights
from caffepy.proto import TEST, TRAIN, NetState


def load_net(
    prototxt: str | Path,
    weights: str | Path | None = None,
    phase: Literal["train", "test"] = "test",
    *,
    device: str | torch.device = "cpu",
) -> Net:
    """Read a net from its prototxt, and its parameters from a file of weights.

    The net takes and returns named blobs, (N, C, H, W) as in Caffe: `net(data=images)["prob"]`.

    Args:
        prototxt: a net, as train_val.prototxt or deploy.prototxt.
        weights: a .caffemodel or .caffemodel.h5, matched by layer name; None leaves what the fillers drew.
        phase: which of the layers with `include` or `exclude` rules belong to the net.
        device: where the net runs.

    Raises:
        ParseError, NetError, LayerError: the prototxt is wrong; the message says where.
        WeightsError: the weights cannot be read, or do not fit.
    """
    graph = load_graph(prototxt, NetState(phase=TRAIN if phase == "train" else TEST))
    net = build_net(graph, device=device)
    if weights is not None:
        copy_weights(net, weights)
    return net
