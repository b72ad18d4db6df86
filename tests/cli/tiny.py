"""A net small enough to train in a blink, with its data and its solver."""

import re
from pathlib import Path

import h5py
import numpy as np

NET = """
name: "tiny"
layer { name: "data" type: "HDF5Data" top: "data" top: "label" include { phase: TRAIN }
  hdf5_data_param { source: "list.txt" batch_size: 6 } }
layer { name: "data" type: "HDF5Data" top: "data" top: "label" include { phase: TEST }
  hdf5_data_param { source: "list.txt" batch_size: 10 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy"
  include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""

SOLVER = """
net: "net.prototxt"
test_iter: 3
test_interval: 5
base_lr: 2
lr_policy: "fixed"
display: 5
max_iter: %d
snapshot_prefix: "tiny"
random_seed: 3
"""


def write_tiny(folder: Path, max_iter: int = 10) -> None:
    """net.prototxt, solver.prototxt and 30 records of 5 numbers, separable into 3 classes."""
    rng = np.random.default_rng(0)
    labels = np.arange(30) % 3
    data = rng.normal(scale=0.1, size=(30, 5)) + np.eye(3, 5)[labels]
    with h5py.File(folder / "data.h5", "w") as file:
        file["data"] = data.astype(np.float32)
        file["label"] = labels.astype(np.float32)
    (folder / "list.txt").write_text("data.h5\n")
    (folder / "net.prototxt").write_text(NET)
    (folder / "solver.prototxt").write_text(SOLVER % max_iter)


def bodies(err: str) -> list[str]:
    """The log lines without their prefix."""
    return re.findall(r"^[IW]\d{4} [\d:.]+ +\d+ \S+:\d+\] (.*)", err, re.MULTILINE)


def snapshots(folder: Path) -> list[str]:
    """The states that are there, without their ending."""
    return sorted(path.stem for path in folder.glob("*.solverstate"))
