from pathlib import Path

import pytest
import torch

from caffepy.errors import SnapshotError, SolverError
from caffepy.graph.solver_nets import read_solver
from caffepy.proto import SolverParameter
from caffepy.solver.setup import complete, sow, watched, weight_files
from caffepy.solver.solver import Solver
from tests.solver.tiny import bodies, listen, write_training


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_settings_are_logged_and_completed(caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    file = read_solver(write_training('snapshot_prefix: "."'))

    param = complete(file)

    assert param.snapshot_prefix == "solver"
    assert file.param.snapshot_prefix == "."
    (said, settings) = bodies(caplog)
    assert said == "snapshot_prefix was a directory and is replaced to solver"
    assert settings.startswith("Initializing solver from parameters: \nbase_lr: 0.2\n")
    assert 'snapshot_prefix: "solver"' in settings


def test_hdf5_snapshots_are_refused_with_their_place() -> None:
    file = read_solver(write_training("snapshot_format: HDF5"))
    with pytest.raises(SolverError, match=r"solver.prototxt:\d+:\d+: snapshot_format HDF5"):
        complete(file)


@pytest.mark.parametrize("when", ["snapshot: 4", "snapshot_after_train: true"])
def test_a_prefix_without_a_folder_is_refused_before_training(when: str) -> None:
    file = read_solver(write_training('snapshot_prefix: "missing/tiny" ' + when))
    with pytest.raises(SnapshotError, match="Cannot write to snapshot prefix 'missing/tiny'"):
        complete(file)


def test_a_prefix_that_is_never_used_may_be_anything() -> None:
    complete(read_solver(write_training('snapshot_prefix: "missing/tiny"')))


def test_random_seed_seeds_torch() -> None:
    assert sow(SolverParameter(random_seed=7)) == 7
    first = torch.rand(3)
    sow(SolverParameter(random_seed=7))
    assert torch.equal(first, torch.rand(3))


def test_without_random_seed_each_run_differs_and_says_its_seed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listen(caplog)
    first, second = sow(SolverParameter()), sow(SolverParameter())
    assert first != second
    assert bodies(caplog)[0] == f"random_seed was not specified and is set to {first}"


@pytest.mark.parametrize(
    ("weights", "files"),
    [
        ("a", ["a"]),
        ("a,b, c", ["a", "b", "c"]),
        (Path("a"), ["a"]),
        (["a,b", Path("c")], ["a", "b", "c"]),
        ([], []),
    ],
)
def test_weights_are_files_and_comma_lists(
    weights: str | Path | list[str | Path], files: list[str]
) -> None:
    assert weight_files(weights) == files


def test_nets_are_made_finetuned_and_shared_in_caffes_order(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listen(caplog)
    Solver(write_training()).snapshot()
    Path("tiny_iter_0.caffemodel").rename("old.caffemodel")
    bodies(caplog)

    path = write_training(
        'weights: "old.caffemodel" test_iter: 2 test_iter: 3 test_interval: 4 random_seed: 6'
    )
    solver = Solver(path)

    assert bodies(caplog)[1:] == [
        "Creating training net from net file: net.prototxt",
        "Finetuning from old.caffemodel",
        "Creating test net (#0) specified by net file: net.prototxt",
        "Finetuning from old.caffemodel",
        "Creating test net (#1) specified by net file: net.prototxt",
        "Finetuning from old.caffemodel",
        "Solver scaffolding done.",
    ]
    assert [report.copied for report in solver.copied] == [("ip",)]
    for net in solver.test_nets:
        assert net.learnable[0].param.data_ptr() == solver.net.learnable[0].param.data_ptr()


TESTED = "lr_policy: 'plateau' gamma: 0.5 plateau_winsize: 9 test_iter: 1 test_interval: 5 "


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param("", None, id="training loss"),
        pytest.param("test_iter: 1 plateau_output: 'accuracy'", (0, -1), id="accuracy"),
        pytest.param("plateau_output: 'loss'", (0, 1), id="loss"),
    ],
)
def test_what_plateau_watches(settings: str, expected: tuple[int, int] | None) -> None:
    file = read_solver(write_training(TESTED + settings))
    assert watched(file, Solver(file).test_nets) == expected


def test_an_output_to_watch_that_is_none_is_refused_with_its_place() -> None:
    file = read_solver(write_training(TESTED + "plateau_output: 'acuracy'"))
    text = (
        r"^solver.prototxt:\d+:\d+: plateau_output is 'acuracy', no output of a test net; they are "
        r"accuracy, loss; did you mean 'accuracy'\?$"
    )
    with pytest.raises(SolverError, match=text):
        Solver(file)
