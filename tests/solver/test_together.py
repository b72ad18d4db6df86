"""Settings that meet in one training, which goes on after a stop as if there had been none."""

import logging
import re
from pathlib import Path

import pytest
import torch

from caffepy.solver.requests import Action
from caffepy.solver.solver import Solver
from tests.solver.tiny import blobs, write_training

EVERYTHING = """
test_iter: 2 test_iter: 3 test_interval: 4 test_compute_loss: true display: 1 average_loss: 3
lr_policy: "plateau" gamma: 0.5 plateau_winsize: 4 plateau_winsize: 5 base_lr: 3
iter_size: 2 clip_gradients: 0.7 snapshot_diff: true debug_info: true
snapshot: 3 snapshot_after_train: true keep_last: 2 max_iter: 16
"""
RISE = 'warmup_iter: 7 plateau_output: "accuracy" keep_best: "loss" min_lr: 0.01'
LARC = 'larc: true larc_policy: "clip" larc_eta: 0.1 momentum_policy: "opt" plateau_output: "loss"'
BEST = 'keep_best: "accuracy" momentum_policy: "poly" max_momentum: 0.95 type: "Nesterov"'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged since the last call, without times."""
    lines = [
        re.sub(r"\(\S+ iter/s, \S+s/", "(#/", record.getMessage()) for record in caplog.records
    ]
    caplog.clear()
    return lines


def files() -> set[str]:
    """The snapshots that are there."""
    return {path.name for path in Path().glob("tiny_*")}


@pytest.mark.parametrize(
    ("settings", "kind", "stop"),
    [
        pytest.param(RISE, "BINARYPROTO", 5, id="while the rate rises"),
        pytest.param(RISE, "HDF5", 8, id="after a test, before the next"),
        pytest.param(LARC, "HDF5", 5, id="larc"),
        pytest.param(BEST, "BINARYPROTO", 4, id="where a test is due"),
        pytest.param(BEST, "HDF5", 9, id="where a snapshot was due"),
    ],
)
def test_resume_auto_goes_on_as_if_unbroken(
    settings: str, kind: str, stop: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Stopped after an update, from where the rise, the steps and the best go on."""
    caplog.set_level(logging.INFO, logger="caffepy")
    path = write_training(f"{EVERYTHING} {settings} snapshot_format: {kind}")
    whole = Solver(path)
    logged(caplog)
    whole.solve()
    expected = logged(caplog)
    left = files()
    for name in left:
        Path(name).unlink()

    broken = Solver(path)
    broken.progress = lambda done, *_: broken.request(Action.STOP) if done == stop else None
    broken.solve()
    resumed = Solver(path, resume=True)
    assert resumed.iter == stop
    logged(caplog)
    resumed.solve()

    got = [line for line in logged(caplog) if not line.startswith("Removing")]
    expected = [line for line in expected if not line.startswith("Removing")]
    assert got[2:] == expected[len(expected) - len(got) + 2 :]
    assert len(got) > 100
    assert all(map(torch.equal, blobs(whole), blobs(resumed)))
    assert all(map(torch.equal, whole.updater.history, resumed.updater.history))
    assert whole.updater.current_step == resumed.updater.current_step
    assert {name for name in files() if "best" in name} <= left
    assert len(files()) == len(left)
