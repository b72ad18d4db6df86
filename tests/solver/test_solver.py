import logging
import math
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

import caffepy
from caffepy.errors import SnapshotError, SolverError
from caffepy.graph.graph import Graph
from caffepy.net.build import build_net
from caffepy.net.net import Net
from caffepy.solver.requests import Action
from caffepy.solver.snapshot import read_state
from caffepy.solver.solver import Solver
from tests.layers.user_classes import python_layer, write_classes
from tests.solver.tiny import blobs, bodies, listen, rows, write_training


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def masked(lines: list[str]) -> list[str]:
    """The lines without the numbers they report."""
    return [line.split(" = ")[0] for line in lines]


def test_is_part_of_the_package() -> None:
    assert caffepy.Solver is Solver


def test_solve_logs_tests_and_snapshots_in_caffes_order(caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    path = write_training(
        "display: 2 average_loss: 2 test_iter: 3 test_interval: 2 test_compute_loss: true "
        "snapshot: 3 snapshot_after_train: true max_iter: 4"
    )
    solver = Solver(path)
    bodies(caplog)

    solver.solve()

    test = ["Test loss: ", "    Test net output #0: accuracy", "    Test net output #1: loss"]
    lines = [line if "Test loss" not in line else "Test loss: " for line in masked(bodies(caplog))]
    assert lines == [
        "Solving tiny",
        "Learning Rate Policy: fixed",
        "Iteration 0, Testing net (#0)",
        *test,
        "Iteration 0 (#/2 iters), loss",
        "    Train net output #0: loss",
        "Iteration 0, lr",
        "Iteration 2, Testing net (#0)",
        *test,
        "Iteration 2 (#/2 iters), loss",
        "    Train net output #0: loss",
        "Iteration 2, lr",
        "Snapshotting to binary proto file tiny_iter_3.caffemodel",
        "Snapshotting solver state to binary proto file tiny_iter_3.solverstate",
        "Snapshotting to binary proto file tiny_iter_4.caffemodel",
        "Snapshotting solver state to binary proto file tiny_iter_4.solverstate",
        "Iteration 4, loss",
        "Iteration 4, Testing net (#0)",
        *test,
        "Optimization Done.",
    ]
    assert solver.iter == 4
    assert solver.net.positions() == {"data": 5 * 4}  # the last forward pass took a batch, too


def test_no_second_snapshot_where_the_interval_wrote_the_last(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listen(caplog)
    Solver(write_training("snapshot: 4 snapshot_after_train: true max_iter: 4")).solve()
    assert sum("caffemodel" in line for line in bodies(caplog)) == 1


def test_test_initialization_false_leaves_out_the_first_test(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listen(caplog)
    settings = "test_iter: 1 test_interval: 2 test_initialization: false max_iter: 3"
    Solver(write_training(settings)).solve()
    tests = [line for line in bodies(caplog) if "Testing" in line]
    assert tests == ["Iteration 2, Testing net (#0)"]


def test_the_loss_shown_is_the_mean_of_the_last_ones(caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    losses: list[float] = []
    solver = Solver(write_training("display: 1 average_loss: 3"))
    solver.progress = lambda *_: losses.append(float(solver.net.tops["loss"]))
    bodies(caplog)

    solver.step(5)

    shown = [float(line.split(" = ")[1]) for line in bodies(caplog) if "iters), loss" in line]
    means = [sum(losses[max(0, i - 2) : i + 1]) / min(i + 1, 3) for i in range(5)]
    assert shown == pytest.approx(means, rel=1e-5)
    solver.step(1)  # begins a window of its own
    assert solver.smoothed_loss == pytest.approx(losses[-1])


def test_a_test_averages_every_number_over_its_batches(caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    path = write_training("test_iter: 1 test_iter: 4 test_interval: 5", shuffle=False)
    solver = Solver(path)
    weight, bias = (blob.double().numpy() for blob in blobs(solver))
    bodies(caplog)

    solver.test_all()

    data, label = rows()
    lines = iter(bodies(caplog))
    for index, batches in enumerate([1, 4]):
        at = np.arange(7 * batches) % len(data)
        scores = data[at] @ weight.T + bias
        right = (scores.argmax(1) == label[at]).mean()
        nll = np.log(np.exp(scores).sum(1)) - scores[np.arange(len(at)), label[at]]
        assert next(lines) == f"Iteration 0, Testing net (#{index})"
        assert float(next(lines).split("accuracy = ")[1]) == pytest.approx(right, rel=1e-5)
        shown = next(lines)
        assert "#1: loss = " in shown
        assert float(shown.split(" = ")[1].split()[0]) == pytest.approx(nll.mean(), rel=1e-5)


def test_each_test_tells_the_layers_that_only_the_train_net_has(
    caplog: pytest.LogCaptureFixture,
) -> None:
    aside = """
    layer { name: "aside" type: "Silence" bottom: "label" include { phase: TRAIN } }
    """
    solver = Solver(write_training("test_iter: 1 test_interval: 9", drop=aside))
    listen(caplog)

    solver.test_all()
    solver.test_all()

    # label has two readers in each net, by the same name; ip has them in the test net alone.
    lines = [line.partition(" = ")[0] for line in bodies(caplog)]
    assert lines[: len(lines) // 2] == [
        "Iteration 0, Testing net (#0)",
        "Ignoring source layer aside",
        "    Test net output #0: accuracy",
        "    Test net output #1: loss",
    ]
    assert lines[len(lines) // 2 :] == lines[: len(lines) // 2]


def test_a_test_of_no_batches_has_no_outputs(caplog: pytest.LogCaptureFixture) -> None:
    settings = "test_iter: 0 test_iter: 1 test_interval: 9 keep_best: 'accuracy'"
    solver = Solver(write_training(settings))
    listen(caplog)

    solver.test_all()

    assert [line.partition(" = ")[0] for line in bodies(caplog)] == [
        "Iteration 0, Testing net (#0)",
        "Iteration 0, Testing net (#1)",
        "    Test net output #0: accuracy",
        "    Test net output #1: loss",
    ]


def test_test_nets_see_what_the_train_net_learned() -> None:
    solver = Solver(write_training("test_iter: 1 test_interval: 5"))
    solver.step(2)
    assert all(
        torch.equal(mine.param, theirs.param)
        for mine, theirs in zip(solver.net.learnable, solver.test_nets[0].learnable, strict=True)
    )


def test_a_run_is_drawn_from_its_seed_alone() -> None:
    path = write_training()
    first, second = Solver(path), Solver(path, device="cpu")
    other = Solver(write_training("random_seed: 6"))
    assert all(map(torch.equal, blobs(first), blobs(second)))
    assert not torch.equal(blobs(first)[0], blobs(other)[0])


def test_the_nets_are_made_by_the_factory_given() -> None:
    made: list[Net] = []

    def build(graph: Graph, *, device: torch.device, seed: int) -> Net:
        made.append(build_net(graph, device=device, seed=seed))
        return made[-1]

    solver = Solver(write_training("test_iter: 1 test_interval: 5"), build=build)

    assert made == [solver.net, *solver.test_nets]


def test_weights_given_take_the_place_of_the_solvers() -> None:
    old = Solver(write_training("random_seed: 6"))
    old.snapshot()

    solver = Solver(write_training('weights: "gone.caffemodel"'), weights="tiny_iter_0.caffemodel")

    assert all(map(torch.equal, blobs(old), blobs(solver)))
    assert [report.copied for report in solver.copied] == [("ip",)]


def test_a_snapshot_brings_its_own_weights() -> None:
    Solver(write_training()).snapshot()
    path = write_training('weights: "gone.caffemodel"')
    assert Solver(path, snapshot="tiny_iter_0.solverstate").copied == []


def test_progress_hears_of_every_update() -> None:
    solver = Solver(write_training('lr_policy: "step" gamma: 0.5 stepsize: 2 max_iter: 3'))
    heard: list[tuple[int, int, float, float]] = []
    solver.progress = lambda *values: heard.append(values)

    solver.solve()

    assert [(iteration, last) for iteration, last, _, _ in heard] == [(1, 3), (2, 3), (3, 3)]
    assert [rate for *_, rate in heard] == pytest.approx([0.2, 0.2, 0.1])
    assert all(math.isfinite(loss) for _, _, loss, _ in heard)


@pytest.mark.parametrize("output", ["", "accuracy", "loss"])
def test_plateau_goes_on_after_a_snapshot_as_if_unbroken(
    output: str, caplog: pytest.LogCaptureFixture
) -> None:
    listen(caplog)
    settings = f"""lr_policy: 'plateau' gamma: 0.5 plateau_winsize: 4 plateau_winsize: 3
        base_lr: 3 test_iter: 2 test_interval: 2 display: 1 {f"plateau_output: '{output}'" * bool(output)}"""
    path = write_training(settings)
    unbroken = Solver(path)
    unbroken.step(5)
    unbroken.snapshot()
    bodies(caplog)
    unbroken.step(19)
    expected = [line for line in bodies(caplog) if "Plateau" in line or ", lr = " in line]
    assert [line for line in expected if "step = 2" in line]
    assert [line for line in expected if line.endswith(", lr = 0.75")]

    resumed = Solver(path, snapshot="tiny_iter_5.solverstate")
    bodies(caplog)
    resumed.step(19)

    got = [line for line in bodies(caplog) if "Plateau" in line or ", lr = " in line]
    assert got == expected
    assert all(map(torch.equal, blobs(resumed), blobs(unbroken)))


def test_plateau_watches_a_test_by_its_mean(caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    settings = "test_iter: 3 test_interval: 2 lr_policy: 'plateau' gamma: 0.5 plateau_winsize: 4"
    solver = Solver(write_training(f"{settings} plateau_output: 'accuracy' display: 1"))
    solver.step(9)

    least, shown = math.inf, {}
    for line in bodies(caplog):
        if "accuracy = " in line:
            least = min(least, -float(line.split("accuracy = ")[1]))
        elif "current minimum_loss" in line:
            shown[float(line.split(" = ")[1])] = least
    assert shown
    assert list(shown) == pytest.approx(list(shown.values()), rel=1e-5)


def ask_at(solver: Solver, iteration: int, *actions: Action) -> None:
    """Let these be asked of the solver after so many updates."""

    def progress(done: int, *_: float) -> None:
        if done == iteration:
            for action in actions:
                solver.request(action)

    solver.progress = progress


def test_stop_ends_with_the_snapshot_after_train(caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    solver = Solver(write_training("snapshot_after_train: true test_iter: 1 test_interval: 2"))
    ask_at(solver, 3, Action.STOP)

    solver.solve()

    assert bodies(caplog)[-3:] == [
        "Snapshotting to binary proto file tiny_iter_3.caffemodel",
        "Snapshotting solver state to binary proto file tiny_iter_3.solverstate",
        "Optimization stopped early.",
    ]


def test_snapshot_is_written_and_training_goes_on() -> None:
    solver = Solver(write_training())
    ask_at(solver, 3, Action.SNAPSHOT)

    solver.solve()

    assert read_state("tiny_iter_3.solverstate").iter == 3
    assert solver.iter == 8


@pytest.mark.parametrize("actions", [[Action.STOP], [Action.SNAPSHOT, Action.STOP]])
def test_stop_interrupts_a_test_which_a_resumed_run_begins_anew(
    actions: list[Action], caplog: pytest.LogCaptureFixture
) -> None:
    listen(caplog)
    path = write_training("test_iter: 5 test_interval: 2 snapshot_after_train: true")
    solver = Solver(path)
    solver.step(2)

    def during_third_batch(*_: object) -> None:
        if solver.test_nets[0].positions() == {"data": (5 + 3) * 7}:
            for action in actions:
                solver.request(action)

    solver.test_nets[0].layers[-1].register_forward_hook(during_third_batch)
    solver.solve()

    lines = bodies(caplog)
    assert "Test interrupted." in lines
    assert lines[-1] == "Optimization stopped early."
    resumed = Solver(path, snapshot="tiny_iter_2.solverstate")
    assert resumed.test_nets[0].positions() == {"data": 5 * 7}


@pytest.mark.parametrize("iter_size", [1, 3])
def test_a_loss_that_is_no_number_stops_training_and_is_traced(iter_size: int) -> None:
    path = write_training(
        f"base_lr: 1e30 iter_size: {iter_size} snapshot_after_train: true snapshot: 100"
    )
    solver = Solver(path)
    text = r"iteration \d+: the loss is -?(nan|inf).* 'ip', which layer 'ip' makes; lower base_lr"
    with pytest.raises(SolverError, match=text):
        solver.solve()
    assert not list(Path().glob("tiny_iter*"))


def test_the_last_snapshot_that_is_named_may_be_the_best() -> None:
    tests = "test_iter: 1 test_interval: 5 keep_best: 'accuracy'"
    solver = Solver(write_training(f"{tests} base_lr: 1e30"))

    with pytest.raises(SolverError, match=r"; the last snapshot is that of iteration 0$"):
        solver.solve()

    assert Path("tiny_best.solverstate").exists()


def test_asked_to_it_trains_on_as_caffe_does(caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    path = write_training("base_lr: 1e30 snapshot_after_train: true display: 1")
    solver = Solver(path, on_nan="continue")

    solver.solve()

    warned = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warned) == 1
    assert re.fullmatch(
        r"iteration \d: the loss is -?(nan|inf), and training goes on, as it was asked to",
        warned[0],
    )
    assert solver.iter == 8
    assert not torch.isfinite(blobs(solver)[0]).all()
    assert Path("tiny_iter_8.caffemodel").exists()


@pytest.mark.parametrize("iter_size", [1, 2])
def test_debug_info_shows_the_layers_of_displays_and_tests(
    iter_size: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="caffepy")
    settings = f"display: 2 max_iter: 3 iter_size: {iter_size} test_iter: 2 test_interval: 3"
    quiet = Solver(write_training(f"{settings}"))
    quiet.solve()
    assert not [m for m in caplog.messages if m.startswith("    [")]
    shown = Solver(write_training(f"{settings} debug_info: true"))
    shown.solve()

    heads = [m[5:].split("]")[0] for m in caplog.messages if m.startswith("    [")]
    train = ["Forward"] * 7 + ["Backward"] * 4
    # Tests at 0 and 3, of 2 batches each; displays at 0 and 2.
    test = ["Forward"] * 12
    one = train * iter_size + ["Update"] * 2
    assert heads == test * 2 + one + one + test * 2
    assert all(map(torch.equal, blobs(quiet), blobs(shown)))


def test_debug_info_of_the_last_pass_where_each_iteration_is_displayed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    solver = Solver(write_training("display: 1 max_iter: 1 debug_info: true", drop=""))
    listen(caplog)

    solver.solve()

    *before, last, _ = caplog.messages
    assert last.startswith("Iteration 1, loss = ")
    assert [line.partition(" data: ")[0] for line in before[-6:]] == [
        "    [Forward] Layer data, top blob data",
        "    [Forward] Layer data, top blob label",
        "    [Forward] Layer ip, top blob ip",
        "    [Forward] Layer ip, param blob 0",
        "    [Forward] Layer ip, param blob 1",
        "    [Forward] Layer loss, top blob loss",
    ]


def test_data_that_is_no_number_is_traced_to_its_batch() -> None:
    path = write_training("snapshot: 1", shuffle=False, drop="")
    with h5py.File("rows.h5", "a") as file:
        data = file["data"]
        assert isinstance(data, h5py.Dataset)
        data[9, 1] = np.inf
    text = (
        r"iteration 2: .*'data' is not finite as it is read: .*; "
        r"the last snapshot is that of iteration 2$"
    )
    with pytest.raises(SolverError, match=text):
        Solver(path).solve()


def test_a_snapshot_of_numbers_that_are_none_is_refused() -> None:
    solver = Solver(write_training("base_lr: 1e38 snapshot: 1 momentum: 0"))
    with pytest.raises((SnapshotError, SolverError), match="base_lr"):
        solver.solve()
    assert all(
        math.isfinite(value) for path in Path().glob("*.solverstate")
        for stored in read_state(path).history for value in stored.data
    )  # fmt: skip


def test_level_and_stages_are_the_train_nets() -> None:
    path = write_training("test_iter: 1 test_interval: 5")
    net = Path("net.prototxt")
    stage = 'layer { name: "extra" type: "Silence" bottom: "ip" include { stage: "more" } }\n'
    net.write_text(net.read_text() + stage)

    solver = Solver(path, stages=["more"])

    assert "extra" in solver.net.layer_names
    assert "extra" not in solver.test_nets[0].layer_names


def test_python_layers_train_and_are_tested(
    user_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_classes(user_folder)
    ip = """name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
        inner_product_param { num_output: 2 weight_filler { type: "xavier" } }"""
    layers = [
        python_layer("rows", "Rows", 'top: "x" top: "y"'),
        ip,
        python_layer("scaled", "Scaled", 'bottom: "ip" top: "ip"', '{"start": 2}'),
        python_layer("watch", "Watch", 'bottom: "y" include { phase: TEST }'),
        python_layer(
            "loss", "EuclideanLoss", 'bottom: "ip" bottom: "y" top: "loss" loss_weight: 1'
        ),
    ]
    path = write_training("base_lr: 0.1 momentum: 0.5 max_iter: 60 test_iter: 2 test_interval: 60")
    Path("net.prototxt").write_text("".join(f"layer {{ {layer} }}\n" for layer in layers))
    solver = Solver(path)
    before = blobs(solver)
    listen(caplog)

    solver.solve()

    assert solver.smoothed_loss < 1e-3
    for old, new in zip(before, blobs(solver), strict=True):
        assert not torch.equal(old, new)
    losses = [line for line in bodies(caplog) if "Test net output #0: loss" in line]
    assert len(losses) == 2
    assert float(losses[1].split()[6]) < 1e-3 < float(losses[0].split()[6])
    assert solver.net.positions() == {}
