#!/usr/bin/env python3
"""Loading AlexNet's 244 MB of weights, against reading the file and copying its numbers once.

usage: weights.py [--turns 9]

Writes a .caffemodel into a temporary folder and loads it into the net by layer name. The peer reads
the same file into memory and copies as many bytes. The two take turns in one process. Prints the
medians and their ratio.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import caffepy
from caffepy.net.weights import copy_weights, write_weights

ALEXNET = Path(__file__).parents[1] / "models/bvlc_alexnet/deploy.prototxt"


def timed(work: Callable[[], object]) -> float:
    """How long it takes, in milliseconds."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    """Take turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=9)
    turns = parser.parse_args().turns
    net = caffepy.load_net(ALEXNET)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alexnet.caffemodel"
        write_weights(net, path)
        target = np.zeros(path.stat().st_size, np.uint8)

        def read_and_copy() -> None:
            np.copyto(target, np.frombuffer(path.read_bytes(), np.uint8))

        def load() -> None:
            copy_weights(net, path)

        pairs = [(timed(load), timed(read_and_copy)) for _ in range(turns)]
        medians = [sorted(times)[turns // 2] for times in zip(*pairs, strict=True)]
        print(f"{path.stat().st_size / 1e6:.0f} MB, median of {turns} turns")
    print(f"caffepy                {medians[0]:6.0f} ms")
    print(f"read and copy once     {medians[1]:6.0f} ms")
    print(f"ratio                  {medians[0] / medians[1]:6.2f}")


if __name__ == "__main__":
    main()
