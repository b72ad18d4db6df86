"""Scripts' solvers train as the command line does, whatever their settings."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import caffepy.pycaffe as caffe
from caffepy.errors import SolverError
from caffepy.solver.solver import Solver
from tests.solver.tiny import blobs, write_training

TESTED = "test_iter: 2 test_interval: 3 display: 2 average_loss: 2 max_iter: 7"
SETTINGS = {
    "step": 'lr_policy: "step" gamma: 0.5 stepsize: 2',
    "exp": 'lr_policy: "exp" gamma: 0.9',
    "inv": 'lr_policy: "inv" gamma: 0.1 power: 0.75',
    "multistep": 'lr_policy: "multistep" gamma: 0.5 stepvalue: 2 stepvalue: 5',
    "poly": 'lr_policy: "poly" power: 0.5 min_lr: 0.01',
    "sigmoid": 'lr_policy: "sigmoid" gamma: -1 stepsize: 4',
    "plateau": 'lr_policy: "plateau" gamma: 0.5 plateau_winsize: 2 base_lr: 3',
    "plateau_output": 'lr_policy: "plateau" gamma: 0.5 plateau_winsize: 3 plateau_output: "loss"',
    "multifixed": 'lr_policy: "multifixed" stagelr: 0.2 stagelr: 0.1 stageiter: 2 stageiter: 9',
    "rampup": "rampup_interval: 4 rampup_lr: 0.01",
    "warmup": "warmup_iter: 4 warmup_start_lr: 0.01",
    "larc": 'larc: true momentum_policy: "opt" clip_gradients: 0.2 iter_size: 2',
    "decay": 'weight_decay_policy: "poly" max_weight_decay: 0.1 weight_decay_power: 2',
    "debug_info": "debug_info: true iter_size: 2",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the solver and its nets logged since the last call, without times."""
    lines = [
        re.sub(r"\(\S+ iter/s, \S+s/", "(#/", record.getMessage())
        for record in caplog.records
        if record.name.startswith(("caffepy.solver", "caffepy.net"))
    ]
    caplog.clear()
    return lines


@pytest.mark.parametrize(
    "settings", [pytest.param(text, id=name) for name, text in SETTINGS.items()]
)
def test_they_log_and_learn_the_same(settings: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="caffepy")
    path = write_training(f"{TESTED} {settings}", drop="")
    training = Solver(path)
    logged(caplog)
    training.solve()
    expected = logged(caplog)

    solver = caffe.get_solver(path)
    logged(caplog)
    solver.solve()

    assert logged(caplog) == expected
    for ours, theirs in zip(solver.net.params["ip"], blobs(training), strict=True):
        np.testing.assert_allclose(ours.data, theirs, rtol=1e-5, atol=1e-6)


def test_they_keep_the_last_snapshots_and_the_best() -> None:
    solver = caffe.get_solver(
        write_training(f'{TESTED} snapshot: 2 keep_last: 2 keep_best: "loss"')
    )

    solver.solve()

    states = {path.name for path in Path().glob("*.solverstate")}
    assert states == {"tiny_iter_4.solverstate", "tiny_iter_6.solverstate", "tiny_best.solverstate"}


def test_solving_from_a_snapshot_says_so(caplog: pytest.LogCaptureFixture) -> None:
    solver = caffe.get_solver(write_training())
    solver.snapshot()
    caplog.set_level(logging.INFO, logger="caffepy")

    solver.solve("tiny_iter_0.solverstate")

    assert "Restoring previous solver status from tiny_iter_0.solverstate" in caplog.messages


def test_with_snapshot_diff_a_view_of_a_diff_shows_what_was_taken_off() -> None:
    solver = caffe.get_solver(write_training("snapshot_diff: true"))
    weight = solver.net.params["ip"][0]
    view, before = weight.diff, weight.data.copy()

    solver.step(1)

    np.testing.assert_array_equal(view, before - weight.data)
    assert np.shares_memory(view, weight.diff)


def test_what_is_written_into_diffs_before_the_pass_counts() -> None:
    """Gradients are zeroed first of all, as in Caffe, so that `on_start` may add to them."""
    solver = caffe.get_solver(write_training("momentum: 0 weight_decay: 0"))
    weight = solver.net.params["ip"][0]

    def add() -> None:
        assert not weight.diff.any()
        weight.diff[...] += 1000

    solver.add_callback(add, lambda: None)
    before = weight.data.copy()

    solver.step(2)

    assert ((before - weight.data) / (2 * 0.2 * 1.5) > 900).all()


@pytest.fixture
def second_of_two() -> Iterator[None]:
    caffe.set_solver_count(2)
    caffe.set_solver_rank(1)
    yield
    caffe.set_solver_rank(0)
    caffe.set_solver_count(1)


@pytest.mark.usefixtures("second_of_two")
def test_only_the_first_process_keeps_the_best() -> None:
    solver = caffe.get_solver(
        write_training(f'{TESTED} snapshot: 2 keep_last: 1 keep_best: "loss"')
    )

    solver.solve()

    assert not list(Path().glob("tiny_*"))


@pytest.mark.usefixtures("second_of_two")
@pytest.mark.parametrize("name", ["plateau", "plateau_output"])
def test_a_rate_that_each_process_would_see_fall_by_itself_is_refused(name: str) -> None:
    path = write_training(f"{TESTED} {SETTINGS[name]}")

    with pytest.raises(
        SolverError, match=r"^solver.prototxt:\d+:1: lr_policy 'plateau' goes by what"
    ):
        caffe.get_solver(path)
