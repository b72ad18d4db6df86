#!/usr/bin/env python3
"""What pycaffe's forward costs over calling the same torch modules one after the other.

usage: pycaffe_forward.py [--turns 70]

LeNet of examples/mnist as a deploy net at batch 1: `net.forward(data=image)["prob"]` over all that
pycaffe promises, live numpy views included, against the net's own layers called on a tensor, without
gradients. The two ways take turns of 100 passes in one process, so that both meet the machine in all
its moods. Prints the median times, and the median of the turns' ratios.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import cast

import numpy as np
import torch
from stepwise import LENET
from torch import Tensor, nn

import caffepy.pycaffe as caffe

INPUT = """layer { name: "data" type: "Input" top: "data" input_param {
  shape { dim: 1 dim: 1 dim: 28 dim: 28 } } }
"""
PROB = 'layer { name: "prob" type: "Softmax" bottom: "ip2" top: "prob" }\n'
PASSES = 100


def deploy_text() -> str:
    """LeNet from an image to probabilities."""
    text = LENET.read_text()
    start, end = (text.index(f'layer {{\n  name: "{name}"') for name in ("conv1", "accuracy"))
    return INPUT + text[start:end] + PROB


def timed(run: Callable[[], object]) -> float:
    """Microseconds for one pass."""
    start = time.perf_counter()
    for _ in range(PASSES):
        run()
    return (time.perf_counter() - start) / PASSES * 1e6


def main() -> None:
    """Take turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=70)
    turns = parser.parse_args().turns
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "lenet_deploy.prototxt")
        path.write_text(deploy_text())
        net = caffe.Net(path, caffe.TEST)
    modules = list(cast("nn.ModuleList", net._net.layers))[1:]
    image = np.random.default_rng(0).random((1, 1, 28, 28), np.float32)
    tensor = torch.from_numpy(image)

    def direct() -> Tensor:
        blob = tensor
        for module in modules:
            blob = module(blob)
        return blob

    def pycaffe() -> object:
        return net.forward(data=image)["prob"]

    with torch.no_grad():
        assert np.shares_memory(net.forward()["prob"], net.blobs["prob"].data)
        np.testing.assert_allclose(net.forward(data=image)["prob"], direct().numpy(), rtol=1e-5)
        pairs = [(timed(direct), timed(pycaffe)) for _ in range(turns)]
    modules, views = (median(times) for times in zip(*pairs, strict=True))
    print(f"modules    {modules:7.1f} us a pass (median of {turns} turns of {PASSES})")
    print(f"pycaffe    {views:7.1f} us a pass")
    print(f"ratio      {median(view / module for module, view in pairs):7.2f}")


if __name__ == "__main__":
    main()
