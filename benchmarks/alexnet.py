#!/usr/bin/env python3
"""AlexNet: caffepy's net against the same net in plain PyTorch, and in OpenCV where it is installed.

usage: alexnet.py [--turns 9]

Training is forward and backward of a batch of 32 with the loss of models/bvlc_alexnet's
train_val.prototxt; classifying is forward alone, of 32 images and of one, by deploy.prototxt. Plain
PyTorch is a Sequential with grouped convolutions and torch.nn.LocalResponseNorm, in its usual NCHW
layout; OpenCV (pip install 'opencv-python-headless<5') reads the same prototxt and weights. All have
the same weights and images, which are random, and must agree. They take turns in one process, so
that all meet the same machine. Prints median and fastest turn, and caffepy's share of the others'
time.
"""

import argparse
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from caffepy.graph.load import make_graph
from caffepy.net.build import build_net
from caffepy.net.net import Net
from caffepy.net.weights import write_weights
from caffepy.proto import TEST, TRAIN, NetParameter, NetState
from caffepy.proto.files import read_text

MODEL = Path(__file__).parents[1] / "models/bvlc_alexnet"
DEPLOY = MODEL / "deploy.prototxt"
BATCH = 32


def net_to_train() -> Net:
    """The net of train_val.prototxt, with inputs in the place of the database."""
    net, position = read_text(MODEL / "train_val.prototxt", NetParameter)
    data = net.layer[0]
    data.type = "Input"
    data.input_param.shape.add(dim=[BATCH, 3, 227, 227])
    data.input_param.shape.add(dim=[BATCH])
    data.ClearField("data_param")
    data.ClearField("transform_param")
    return build_net(make_graph(net, position, NetState(phase=TRAIN)))


def net_to_deploy(trained: Net) -> Net:
    """The net of deploy.prototxt, with the weights of another."""
    net, position = read_text(DEPLOY, NetParameter)
    deployed = build_net(make_graph(net, position, NetState(phase=TEST)))
    deployed.share_with(trained)
    return deployed


def plain_alexnet(trained: Net) -> nn.Sequential:
    """AlexNet as anybody writes it, with the weights of a net of caffepy's."""
    net = nn.Sequential(
        nn.Conv2d(3, 96, 11, stride=4),
        nn.ReLU(inplace=True),
        nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2, groups=2),
        nn.ReLU(inplace=True),
        nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 384, 3, padding=1, groups=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 256, 3, padding=1, groups=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2),
        nn.Flatten(),
        nn.Linear(9216, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(4096, 1000),
    )
    with torch.no_grad():
        for ours, theirs in zip(trained.parameters(), net.parameters(), strict=True):
            theirs.copy_(ours)
    return net


def opencv(deployed: Net) -> Callable[[Tensor], Tensor]:
    """A function from images to probabilities, by OpenCV."""
    import cv2

    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(scratch) / "alexnet.caffemodel"
        write_weights(deployed, weights)
        net = cv2.dnn.readNetFromCaffe(str(DEPLOY), str(weights))

    def classify(images: Tensor) -> Tensor:
        net.setInput(images.numpy())
        return torch.from_numpy(net.forward())

    return classify


def compare(title: str, rivals: dict[str, Callable[[], object]], turns: int) -> None:
    """Let the rivals take turns; caffepy is the first of them."""
    times: dict[str, list[float]] = {name: [] for name in rivals}
    for turn in range(turns + 1):
        for name, run in rivals.items():
            start = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - start)
    print(f"\n{title}")
    ours = next(iter(times.values()))
    for name, found in times.items():
        line = (
            f"  {name:14} median {1e3 * median(found):7.1f} ms, fastest {1e3 * min(found):7.1f} ms"
        )
        if found is not ours:
            line += (
                f"   caffepy takes {median(ours) / median(found):.2f}, {min(ours) / min(found):.2f}"
            )
        print(line)


def training(net: Net, plain: nn.Module, turns: int) -> None:
    """Forward and backward of one batch."""
    images, labels = torch.randn(BATCH, 3, 227, 227) * 50, torch.randint(1000, (BATCH,))
    tops = {"data": images, "label": labels.float()}

    def by_caffepy() -> None:
        net.zero_grad()
        net.objective(net(**tops)).backward()

    def by_pytorch() -> None:
        plain.zero_grad()
        F.cross_entropy(plain(images), labels).backward()

    rivals = {"caffepy": by_caffepy, "plain PyTorch": by_pytorch}
    compare(f"forward and backward, batch {BATCH}", rivals, turns)


@torch.inference_mode()
def classifying(net: Net, plain: nn.Module, batch: int, turns: int) -> None:
    """Forward of one batch."""
    images = torch.randn(batch, 3, 227, 227) * 50
    classify = {
        "caffepy": lambda images: net(data=images)["prob"],
        "plain PyTorch": lambda images: plain(images).softmax(1),
    }
    if importlib.util.find_spec("cv2"):
        classify["OpenCV"] = opencv(net)
    expected = classify["caffepy"](images)
    for run in classify.values():
        torch.testing.assert_close(run(images), expected, rtol=1e-3, atol=1e-5)
    rivals = {name: lambda run=run: run(images) for name, run in classify.items()}
    compare(f"forward, batch {batch}", rivals, turns)


def main() -> None:
    """Measure all three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=9)
    args = parser.parse_args()
    torch.manual_seed(1)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {os.uname().machine}")
    trained = net_to_train()
    plain = plain_alexnet(trained)
    deployed = net_to_deploy(trained)
    training(trained, plain, args.turns)
    plain.eval()
    classifying(deployed, plain, BATCH, args.turns)
    classifying(deployed, plain, 1, 5 * args.turns)


if __name__ == "__main__":
    main()
