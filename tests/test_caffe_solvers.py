"""Trainings of a small net, held against BVLC Caffe's update by update.

tests/golden/solvers: a folder a solver, with its prototxts, data, first weights, Caffe's snapshot
after six updates, and in trajectory.npz every blob and loss of twelve updates, and of three more
after that snapshot, whose data begin anew.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caffepy.pycaffe as caffe
from caffepy.pycaffe.solver import Solver

FOLDERS = sorted((Path(__file__).parent / "golden" / "solvers").iterdir())
Trajectory = Mapping[str, NDArray[Any]]


@pytest.fixture(params=FOLDERS, ids=lambda path: path.name)
def trajectory(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Trajectory:
    """What Caffe computed; the current folder is a copy of that of the solver."""
    shutil.copytree(request.param, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    with np.load("trajectory.npz") as numbers:
        return dict(numbers)


def assert_blobs(solver: Solver, want: Trajectory, key: str) -> None:
    for layer, blobs in solver.net.params.items():
        for index, blob in enumerate(blobs):
            expected = want[f"{key}/{layer}/{index}"]
            error = np.abs(blob.data - expected).max() / max(1, np.abs(expected).max())
            assert error < 5e-5, f"{key}, blob {index} of {layer}"


def test_twelve_updates_give_caffes_numbers(trajectory: Trajectory) -> None:
    solver = caffe.get_solver("solver.prototxt")
    solver.net.copy_from("init.caffemodel")

    for update in range(1, 13):
        solver.step(1)

        assert_blobs(solver, trajectory, f"iter_{update}")
        loss = float(solver.net.blobs["loss"].data)
        assert loss == pytest.approx(float(trajectory[f"loss_{update}"]), abs=5e-5)


def test_a_snapshot_of_caffe_goes_on_with_caffes_numbers(trajectory: Trajectory) -> None:
    solver = caffe.get_solver("solver.prototxt")

    solver.restore("peer_iter_6.solverstate")

    assert solver.iter == 6
    assert_blobs(solver, trajectory, "iter_6")
    for update in range(7, 10):
        solver.step(1)
        assert_blobs(solver, trajectory, f"resumed_{update}")
