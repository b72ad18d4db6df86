#!/usr/bin/env python3
"""One update of AlexNet's 61 million parameters by each solver type, against torch's fused SGD.

usage: update.py [--turns 9]

All take turns in one process, on tensors of AlexNet's shapes. Prints the median of each and its
ratio to torch's.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch

import caffepy
from caffepy.net.params import Learnable
from caffepy.proto import ParamSpec, SolverParameter
from caffepy.solver.rules.rule import RULES
from caffepy.solver.update import Updater

ALEXNET = Path(__file__).parents[1] / "models/bvlc_alexnet/deploy.prototxt"


def updates() -> dict[str, Callable[[], object]]:
    """By name, one update; each of its own parameters, with gradients."""
    shapes = [entry.param.shape for entry in caffepy.load_net(ALEXNET).learnable]

    def parameters() -> list[torch.nn.Parameter]:
        made = [torch.nn.Parameter(torch.randn(shape) * 0.01) for shape in shapes]
        for parameter in made:
            parameter.grad = torch.randn_like(parameter) * 0.01
        return made

    settings = {"lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4}
    runs: dict[str, Callable[[], object]] = {
        "torch": torch.optim.SGD(parameters(), fused=True, **settings).step
    }
    for name in RULES:
        momentum = 0.0 if name in ("AdaGrad", "RMSProp") else 0.9
        param = SolverParameter(type=name, momentum=momentum, weight_decay=5e-4)
        entries = [Learnable(blob, ParamSpec(), "", 0) for blob in parameters()]
        updater = Updater(param, entries)
        runs[name] = lambda updater=updater: updater.update(0.01, 5)
    return runs


def main() -> None:
    """Take turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=9)
    turns = parser.parse_args().turns
    runs = updates()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(turns):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - start) * 1e3)
    medians = {name: sorted(spent)[turns // 2] for name, spent in times.items()}
    for name, median in medians.items():
        print(f"{name:10} {median:7.1f} ms   {median / medians['torch']:5.2f}")


if __name__ == "__main__":
    main()
