"""Trainings that are killed, or whose disk is full or gone, and what is left of them."""

import logging
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from caffepy.cli.main import main
from caffepy.net.weights import read_layers
from caffepy.solver.snapshot import find_weights, read_state
from caffepy.solver.solver import Solver

NET = """
name: "small"
layer { name: "data" type: "HDF5Data" top: "data" top: "label"
  hdf5_data_param { source: "list.txt" batch_size: 6 shuffle: true } }
layer { name: "low" type: "InnerProduct" bottom: "data" top: "low"
  inner_product_param { num_output: 700 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "low" top: "low" }
layer { name: "ip" type: "InnerProduct" bottom: "low" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
SOLVER = """
net: "net.prototxt" test_iter: 2 test_interval: 10 base_lr: 0.01 lr_policy: "fixed" momentum: 0.9
display: 10 average_loss: 7 random_seed: 3 max_iter: %d snapshot_prefix: "out/small" %s
"""
TRAIN = ["train", "-solver", "solver.prototxt"]
AUTO = [*TRAIN, "--resume", "auto"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    with h5py.File("data.h5", "w") as file:
        file["data"] = rng.normal(size=(40, 5)).astype(np.float32)
        file["label"] = (np.arange(40) % 3).astype(np.float32)
    Path("list.txt").write_text("data.h5\n")
    Path("net.prototxt").write_text(NET)
    Path("out").mkdir()


def write_solver(max_iter: int, settings: str) -> None:
    Path("solver.prototxt").write_text(SOLVER % (max_iter, settings))


def undisturbed(max_iter: int) -> list[torch.Tensor]:
    """The parameters at the end of the same training, in one piece."""
    write_solver(max_iter, "snapshot_after_train: false")
    solver = Solver("solver.prototxt")
    solver.solve()
    return [entry.param.detach().clone() for entry in solver.net.learnable]


def check_all(folder: Path = Path("out")) -> list[str]:
    """Every state is whole, and so are its weights, which are the ones it was written with."""
    states = sorted(path for path in folder.iterdir() if ".solverstate" in path.suffixes)
    states = [path for path in states if not path.name.startswith(".")]
    for path in states:
        state = read_state(path)
        assert len(state.history) == 4
        assert find_weights(state, path).parent == path.parent
    for path in folder.glob("small_*.caffemodel*"):
        assert read_layers(path)
    return [path.name for path in states]


def kill_at_random(moments: random.Random, longest: float) -> None:
    """Train on in a process of its own, and kill it some time after its first snapshot."""
    with Path("log").open("wb") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "caffepy", *AUTO]
        process = subprocess.Popen(command, stderr=log, env=environment)
    while b"Snapshotting solver state" not in Path("log").read_bytes():
        assert process.poll() is None, Path("log").read_text()
        time.sleep(0.01)
    time.sleep(moments.uniform(0, longest))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize(
    ("kills", "form"),
    [
        pytest.param(3, "BINARYPROTO", id="3 times"),
        pytest.param(30, "BINARYPROTO", id="30 times", marks=pytest.mark.slow),
        pytest.param(30, "HDF5", id="30 times, HDF5", marks=pytest.mark.slow),
    ],
)
def test_a_killed_training_ends_as_if_it_had_not_been(kills: int, form: str) -> None:
    settings = f'snapshot: 1 keep_last: 3 keep_best: "loss" snapshot_format: {form}'
    write_solver(1_000_000, settings)
    moments = random.Random(f"{kills} {form}")

    for _ in range(kills):
        kill_at_random(moments, longest=0.3)
        assert len(check_all()) <= 5  # the last three, one that is about to go, and the best

    reached = Solver("solver.prototxt", resume=True).iter
    write_solver(reached + 5, settings)
    assert main(AUTO) == 0
    resumed = Solver("solver.prototxt", resume=True)
    assert resumed.iter == reached + 5 > kills
    assert len(check_all()) == 4
    assert list(Path("out").glob(".*")) == []
    ours = [entry.param.detach() for entry in resumed.net.learnable]
    assert all(map(torch.equal, ours, undisturbed(reached + 5)))


@contextmanager
def small_files() -> Iterator[None]:
    """No file may grow beyond 10 kB, which is what the weights need."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def lost_folder() -> Iterator[None]:
    """The folder goes away when training has begun, and comes back."""

    class Lose(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith("Iteration 10 ("):
                Path("out").rename("away")

    logger, handler = logging.getLogger("caffepy"), Lose()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        Path("away").rename("out")


@contextmanager
def full_disk() -> Iterator[None]:
    """The folder is on a file system of its own that has no room for a second pair."""
    size = sum(path.stat().st_size for path in Path("out").iterdir()) + 30_000
    Path("out").rename("kept")
    Path("out").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", "out"]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        Path("out").rmdir()
        pytest.skip("only root can mount a file system")
    try:
        for path in Path("kept").iterdir():
            (Path("out") / path.name).write_bytes(path.read_bytes())
        yield
        for path in Path("kept").iterdir():
            path.unlink()
        for path in Path("out").iterdir():
            (Path("kept") / path.name).write_bytes(path.read_bytes())
    finally:
        subprocess.run(["umount", "out"], check=True)
        Path("out").rmdir()
        Path("kept").rename("out")


@pytest.mark.parametrize("suffix", ["", ".h5"], ids=["binary", "HDF5"])
@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        pytest.param(full_disk, "No space left on device", id="full disk"),
        pytest.param(small_files, "File too large", id="file too large"),
        pytest.param(lost_folder, "No such file or directory", id="lost folder"),
    ],
)
def test_a_snapshot_that_cannot_be_written_leaves_the_last_one(
    trouble: Callable[[], AbstractContextManager[None]],
    reason: str,
    suffix: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = f"snapshot: 10 keep_last: 1 snapshot_format: {'HDF5' if suffix else 'BINARYPROTO'}"
    write_solver(10, settings)
    assert main(TRAIN) == 0
    before = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    write_solver(40, settings)
    capsys.readouterr()

    with trouble():
        assert main(AUTO) == 1

    error = f"caffepy: error: cannot write out/small_iter_20.caffemodel{suffix}: {reason}"
    assert capsys.readouterr().err.splitlines()[-1] == error
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == before
    assert check_all() == [f"small_iter_10.solverstate{suffix}"]
    assert main(AUTO) == 0
    assert check_all() == [f"small_iter_40.solverstate{suffix}"]
