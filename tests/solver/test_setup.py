import sys
from pathlib import Path

import pytest
import torch

from caffepy.errors import LayerError, SnapshotError
from caffepy.graph.solver_nets import read_solver
from caffepy.proto import SolverParameter
from caffepy.solver.setup import check_format, complete, sow, weight_files
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


def test_hdf5_snapshots_take_h5py_which_is_asked_for_before_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = read_solver(write_training("snapshot_format: HDF5"))
    net = Solver(file).net
    monkeypatch.setitem(sys.modules, "h5py", None)

    with pytest.raises(SnapshotError) as caught:
        check_format(file, net)

    place = str(file.position.at("snapshot_format"))
    assert str(caught.value) == (
        f"{place}: snapshot_format HDF5: HDF5 files take h5py, which is not installed: "
        "pip install 'caffepy[hdf5]'"
    )


def test_names_with_slashes_are_told_of_in_hdf5(caplog: pytest.LogCaptureFixture) -> None:
    path = write_training("snapshot_format: HDF5")
    Path("net.prototxt").write_text(Path("net.prototxt").read_text().replace('"ip"', '"3a/1x1"'))

    Solver(path)

    (line,) = bodies(caplog)
    assert line.endswith(
        "caffepy reads layers with a slash in their name from HDF5, such as '3a/1x1'; Caffe passes "
        "over them"
    )


def test_names_that_hdf5_cannot_have_are_refused_before_training() -> None:
    path = write_training("snapshot_format: HDF5")
    Path("net.prototxt").write_text(Path("net.prototxt").read_text().replace('"drop"', '"ip/0"'))

    with pytest.raises(SnapshotError, match=r"layer 'ip/0': its name cannot be written"):
        Solver(path)


def test_a_label_that_is_to_get_a_gradient_is_refused_before_training() -> None:
    path = write_training()
    down = 'bottom: "label" propagate_down: true propagate_down: true top: "loss"'
    text = Path("net.prototxt").read_text().replace('bottom: "label" top: "loss"', down)
    Path("net.prototxt").write_text(text)

    with pytest.raises(LayerError, match="cannot backpropagate to bottom 1, 'label'"):
        Solver(path)


def test_what_a_killed_process_left_is_cleared_away() -> None:
    Path(".tiny_iter_3.caffemodel.1234567.tmp").touch()
    complete(read_solver(write_training("snapshot: 2")))

    assert list(Path().glob(".*")) == []


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


@pytest.mark.parametrize(
    "weights", ['"a.h5,b"', '"a.h5" weights: "b"', '"b,a.h5"', '"b" weights: "a.h5"']
)
def test_lists_of_weights_may_be_of_both_formats(weights: str) -> None:
    """The last file that has a layer counts, and it is tested as it is trained."""
    for name, settings in (
        ("a.h5", "random_seed: 6 snapshot_format: HDF5"),
        ("b", "random_seed: 7"),
    ):
        Solver(write_training(settings)).snapshot()
        next(Path().glob("tiny_iter_0.caffemodel*")).rename(name)
    last = 7 if weights.endswith('b"') else 6
    expected = Solver(write_training(f"random_seed: {last}"))

    solver = Solver(write_training(f"weights: {weights} test_iter: 2 test_interval: 4"))

    for net in (solver.net, *solver.test_nets):
        for ours, theirs in zip(net.learnable, expected.net.learnable, strict=True):
            assert torch.equal(ours.param, theirs.param)


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
