#!/usr/bin/env python3
"""What it costs to run a net layer by layer, as pycaffe does, over running it whole.

usage: stepwise.py [--turns 15]

LeNet of examples/mnist at batch 64, forward and backward over one made-up batch. The two ways take
turns of 20 passes in one process. Prints both times and their ratio.
"""

import argparse
import time
from pathlib import Path

import torch

from caffepy.graph.load import make_graph
from caffepy.net.build import build_net
from caffepy.net.net import Net
from caffepy.net.stepwise import build_stepwise
from caffepy.proto import TRAIN, NetParameter, NetState
from caffepy.proto.files import parse_text

LENET = Path(__file__).parents[1] / "examples/mnist/lenet_train_test.prototxt"
INPUT = """layer { name: "mnist" type: "Input" top: "data" top: "label" input_param {
  shape { dim: 64 dim: 1 dim: 28 dim: 28 } shape { dim: 64 } } }
"""
PASSES = 20


def lenet_text() -> str:
    """LeNet with an Input layer in the place of its databases."""
    text = LENET.read_text()
    return INPUT + text[text.index('layer {\n  name: "conv1"') :]


def timed(net: Net) -> float:
    """Milliseconds for one pass, forward and backward."""
    start = time.perf_counter()
    for _ in range(PASSES):
        net.zero_diffs()
        net.forward_backward()
    return (time.perf_counter() - start) / PASSES * 1e3


def main() -> None:
    """Take turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=15)
    turns = parser.parse_args().turns
    torch.manual_seed(1)
    message, position = parse_text(lenet_text().encode(), NetParameter, LENET.name)
    graph = make_graph(message, position, NetState(phase=TRAIN))
    whole, stepwise = build_net(graph), build_stepwise(graph)
    for net in (whole, stepwise):
        timed(net)
    pairs = [(timed(whole), timed(stepwise)) for _ in range(turns)]
    medians = [sorted(times)[turns // 2] for times in zip(*pairs, strict=True)]
    print(f"whole      {medians[0]:6.2f} ms a pass (median of {turns} turns of {PASSES})")
    print(f"stepwise   {medians[1]:6.2f} ms a pass")
    print(f"ratio      {medians[1] / medians[0]:6.2f}")


if __name__ == "__main__":
    main()
