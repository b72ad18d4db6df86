"""A small training on disk: rows of numbers in HDF5, a net with dropout, a solver."""

import logging
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from google.protobuf import text_format
from numpy.typing import NDArray
from torch import Tensor

from caffepy.proto import SolverParameter
from caffepy.solver.solver import Solver

ROWS, FEATURES, CLASSES = 22, 5, 3

NET = """
name: "tiny"
layer {
  name: "data" type: "HDF5Data" top: "data" top: "label" include { phase: TRAIN }
  hdf5_data_param { source: "rows.txt" batch_size: 4 shuffle: %(shuffle)s }
}
layer {
  name: "data" type: "HDF5Data" top: "data" top: "label" include { phase: TEST }
  hdf5_data_param { source: "rows.txt" batch_size: 7 shuffle: %(shuffle)s }
}
%(drop)s
layer {
  name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  param { lr_mult: 1.5 decay_mult: 0.5 } param { lr_mult: 2 decay_mult: 0 }
  inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 0.4 } }
}
layer {
  name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy"
  include { phase: TEST }
}
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
DROP = """
layer {
  name: "drop" type: "Dropout" bottom: "data" top: "data" dropout_param { dropout_ratio: 0.3 }
}
"""
SOLVER = """
net: "net.prototxt" base_lr: 0.2 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.01 max_iter: 8
random_seed: 5 snapshot_prefix: "tiny" snapshot_after_train: false
"""


def rows() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The data: (22, 5) numbers, and 22 classes of 3."""
    rng = np.random.default_rng(1)
    return rng.normal(size=(ROWS, FEATURES)).astype(np.float32), rng.integers(0, CLASSES, ROWS)


def write_training(settings: str = "", *, shuffle: bool = True, drop: str = DROP) -> Path:
    """Write everything into the current folder; the path of the solver's file.

    settings: fields of the solver, besides those of SOLVER or in their place.
    """
    data, label = rows()
    with h5py.File("rows.h5", "w") as file:
        file["data"], file["label"] = data, label.astype(np.float32)
    Path("rows.txt").write_text("rows.h5\n")
    Path("net.prototxt").write_text(NET % {"shuffle": str(shuffle).lower(), "drop": drop})
    path = Path("solver.prototxt")
    param = text_format.Merge(settings, text_format.Parse(SOLVER, SolverParameter()))
    path.write_text(text_format.MessageToString(param))
    return path


def trained(count: int = 3, settings: str = "") -> Solver:
    """A solver with a snapshot after `count` updates."""
    solver = Solver(write_training(settings))
    solver.step(count)
    solver.snapshot()
    return solver


def blobs(solver: Solver) -> list[Tensor]:
    """Copies of what the net has learned."""
    return [entry.param.detach().clone() for entry in solver.net.learnable]


def bodies(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the solver logged since the last call, rates and times as #."""
    records = [r for r in caplog.records if r.name.startswith("caffepy.solver")]
    lines = [re.sub(r"\(\S+ iter/s, \S+s/", "(#/", r.getMessage()) for r in records]
    caplog.clear()
    return lines


def listen(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Let caplog hear what is progress, not only what is wrong."""
    caplog.set_level(logging.INFO, logger="caffepy")
    return caplog
