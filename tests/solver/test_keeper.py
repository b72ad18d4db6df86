"""keep_best: which output, which way is better, and that the best pair is of that test."""

from pathlib import Path

import pytest
import torch

from caffepy.graph.solver_nets import read_solver
from caffepy.proto import RunState
from caffepy.solver.keeper import Keeper
from caffepy.solver.snapshot import read_state
from caffepy.solver.solver import Solver
from caffepy.solver.watched import Watched
from tests.solver.tiny import blobs, bodies, listen, write_training

TESTED = "test_iter: 2 test_interval: 2"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def settings(text: str = "") -> Path:
    return write_training(f"{TESTED} {text}")


def test_what_is_kept_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)

    Solver(settings('keep_best: "accuracy"'))

    text = "Keeping the snapshot with the highest accuracy of test net #0 as tiny_best"
    assert text in bodies(caplog)


@pytest.mark.parametrize(
    ("higher", "values", "best"),
    [
        (True, [0.5, 0.5, 0.25, 0.75, float("nan"), 0.5], [0, 3]),
        (False, [0.5, 0.5, 0.75, float("inf"), 0.25], [0, 4]),
        (True, [float("nan"), 0.0, 0.25], [1, 2]),
    ],
    ids=["higher", "lower", "nan first"],
)
def test_only_a_better_test_is_best(higher: bool, values: list[float], best: list[int]) -> None:
    keeper = Keeper(read_solver(settings()).param, Watched("score", 1, higher))
    tests = [{"score": torch.tensor(value)} for value in values]

    assert not any(keeper.is_best(0, means, 9) for means in tests)
    assert [at for at, means in enumerate(tests) if keeper.is_best(1, means, at)] == best
    assert keeper.best is not None
    assert (keeper.best.iter, keeper.best.value) == (best[-1], values[best[-1]])


def test_the_best_pair_has_the_weights_that_were_tested(caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    solver = Solver(settings('keep_best: "loss" test_interval: 1'))
    seen = {}
    for _ in range(8):
        seen[solver.iter] = blobs(solver)
        solver.step(1)
    lines = bodies(caplog)
    losses = [
        float(line.split("loss = ")[1].split()[0])
        for line in lines
        if line.startswith("    Test net output #1")
    ]
    best = min(range(8), key=losses.__getitem__)

    state = read_state("tiny_best.solverstate")

    assert best > 0
    assert state.iter == best
    assert (state.run.best.output, state.run.best.iter) == ("loss", best)
    assert state.run.best.value == pytest.approx(losses[best], rel=1e-5)
    assert state.learned_net == "tiny_best.caffemodel"
    assert f"Best loss so far = {losses[best]:g}, at iteration {best}" in lines
    resumed = Solver("solver.prototxt", snapshot="tiny_best.solverstate")
    assert all(map(torch.equal, blobs(resumed), seen[best]))


def test_a_resumed_run_remembers_the_best() -> None:
    path = settings('keep_best: "accuracy" snapshot: 1')
    whole = Solver(path)
    whole.step(5)
    resumed = Solver(path, snapshot="tiny_iter_5.solverstate")
    assert resumed._keeper.best == whole._keeper.best is not None


def test_the_best_of_another_output_is_forgotten() -> None:
    keeper = Keeper(read_solver(settings()).param, Watched("accuracy", 0, higher=True))
    run = RunState(run_id=7)
    run.best.output, run.best.value = "loss", 0.1
    keeper.recall(run)
    assert keeper.best is None


def test_the_best_pair_outlives_keep_last() -> None:
    solver = Solver(settings('keep_best: "loss" keep_last: 1 snapshot: 1 base_lr: 50'))
    solver.step(6)
    assert read_state("tiny_best.solverstate").iter < 5
    assert {path.name for path in Path().glob("tiny_*")} == {
        "tiny_best.caffemodel",
        "tiny_best.solverstate",
        "tiny_iter_6.caffemodel",
        "tiny_iter_6.solverstate",
    }
