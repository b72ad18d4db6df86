#!/usr/bin/env python3
"""Training LeNet on MNIST: caffepy's loop against the same loop written in plain PyTorch.

usage: lenet_training.py FOLDER [--iterations 1000]

FOLDER holds mnist_train_lmdb and mnist_test_lmdb (examples/mnist/make_databases.py). Both train
Caffe's recipe: batch 64, SGD with momentum and weight decay, the inv policy. caffepy reads the
database. PyTorch, in its usual NCHW layout, reads it too, by a Dataset and a DataLoader; or it has
all images as float tensors in memory, and takes its batches from a DataLoader, or, the least there
can be to do, as slices. They take turns of 100 iterations in one process, so that all meet the same
machine. Prints the rates, their ratios, and what caffepy's net scores on the 10,000 test images.
"""

import argparse
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import lmdb
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from caffepy import Solver
from caffepy.data.datum import decode, parse_datum
from caffepy.data.lmdb import LMDB
from caffepy.proto import Datum

NET = Path(__file__).parents[1] / "examples/mnist/lenet_train_test.prototxt"
SOLVER = NET.with_name("lenet_solver.prototxt")
TURN = 100


def plain_lenet() -> nn.Sequential:
    """LeNet as anybody writes it."""
    return nn.Sequential(
        nn.Conv2d(1, 20, 5),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(20, 50, 5),
        nn.MaxPool2d(2, 2),
        nn.Flatten(),
        nn.Linear(800, 500),
        nn.ReLU(),
        nn.Linear(500, 10),
    )


def images_and_labels(folder: Path) -> TensorDataset:
    """The training images, between 0 and 1, and their labels."""
    database = LMDB(folder / "mnist_train_lmdb")
    datums = [parse_datum(database.get(key)) for key in database.keys()]  # noqa: SIM118  not a dict
    images = torch.stack([torch.from_numpy(decode(datum).copy()) for datum in datums]) / 256
    return TensorDataset(images, torch.tensor([datum.label for datum in datums]))


class Database(Dataset[tuple[Tensor, int]]):
    """The training images in an LMDB, as anybody writes a Dataset for it."""

    def __init__(self, path: Path) -> None:
        environment = lmdb.open(str(path), readonly=True, lock=False)
        self._transaction = environment.begin()
        self._keys = [bytes(key) for key, _ in self._transaction.cursor()]

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        datum = Datum.FromString(self._transaction.get(self._keys[index]))
        image = np.frombuffer(datum.data, np.uint8).reshape(1, 28, 28)
        return torch.from_numpy(image.astype(np.float32) / 256), datum.label


def loaded(data: Dataset[tuple[Tensor, Any]]) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of 64 by a DataLoader, without end."""
    while True:
        yield from DataLoader(data, batch_size=64, drop_last=True)


def sliced(data: TensorDataset) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of 64 as slices of memory, without end."""
    while True:
        yield from zip(*(tensor.split(64)[:-1] for tensor in data.tensors), strict=True)


def plain_loop(data: Iterator[tuple[Tensor, Tensor]]) -> Callable[[int], None]:
    """A function that trains the plain net for some iterations."""
    net = plain_lenet()
    groups = [
        {"params": [p for n, p in net.named_parameters() if n.endswith("weight")], "mult": 1},
        {"params": [p for n, p in net.named_parameters() if n.endswith("bias")], "mult": 2},
    ]
    optimizer = torch.optim.SGD(groups, lr=0.01, momentum=0.9, weight_decay=5e-4)
    done = 0

    def train(count: int) -> None:
        nonlocal done
        for _ in range(count):
            images, labels = next(data)
            for group in optimizer.param_groups:
                group["lr"] = group["mult"] * 0.01 * (1 + 1e-4 * done) ** -0.75
            optimizer.zero_grad()
            loss = F.cross_entropy(net(images), labels)
            loss.backward()
            optimizer.step()
            loss.item()
            done += 1

    return train


def caffepy_solver(folder: Path, scratch: Path, iterations: int) -> Solver:
    """The solver of examples/mnist, over the databases of a folder."""
    net = NET.read_text().replace('"mnist_', f'"{folder.resolve()}/mnist_')
    (scratch / "net.prototxt").write_text(net)
    text = SOLVER.read_text().replace(NET.name, str(scratch / "net.prototxt"))
    text = text.replace('"lenet"', f'"{scratch}/lenet"').replace("10000", str(iterations))
    text = text.replace("test_interval: 500", f"test_interval: {iterations}")
    path = scratch / "solver.prototxt"
    path.write_text(text + "test_initialization: false random_seed: 1\n")
    return Solver(path)


def timed(train: Callable[[int], None]) -> float:
    """How long one turn takes, in seconds."""
    start = time.perf_counter()
    train(TURN)
    return time.perf_counter() - start


def main() -> None:
    """Take turns, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--iterations", type=int, default=1000)
    args = parser.parse_args()
    torch.manual_seed(1)
    data = images_and_labels(args.folder)
    with tempfile.TemporaryDirectory() as scratch:
        solver = caffepy_solver(args.folder, Path(scratch), args.iterations)
        copy = Path(scratch) / "copy"  # a process may open an LMDB once
        shutil.copytree(args.folder / "mnist_train_lmdb", copy)
        loops = {
            "caffepy": solver.step,
            "PyTorch, database": plain_loop(loaded(Database(copy))),
            "PyTorch, DataLoader": plain_loop(loaded(data)),
            "PyTorch, slices": plain_loop(sliced(data)),
        }
        turns = [
            {name: timed(train) for name, train in loops.items()}
            for _ in range(args.iterations // TURN)
        ]
        print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {os.uname().machine}")
        for name in loops:
            rate = TURN / median(turn[name] for turn in turns)
            ratio = median(turn[name] / turn["caffepy"] for turn in turns)
            print(f"{name:20}{rate:7.1f} it/s{ratio:7.2f}")
        print(f"after {solver.iter} iterations of caffepy:")
        logger = logging.getLogger("caffepy")
        logger.addHandler(logging.StreamHandler())
        logger.setLevel(logging.INFO)
        solver.test_all()


if __name__ == "__main__":
    main()
