"""`caffepy train`: its flags and its lines."""

import re
import sys
from pathlib import Path

import pytest

from caffepy.cli.main import main
from caffepy.cli.train import gpu_of
from caffepy.proto import SolverParameter
from tests.cli.tiny import NET, bodies, snapshots, write_tiny
from tests.data.databases import ramp, write_images
from tests.layers.user_classes import python_layer, write_classes


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a tiny net, which is the current one."""
    monkeypatch.chdir(tmp_path)
    write_tiny(tmp_path)
    return tmp_path


def test_trains_and_writes_a_snapshot(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert main(["train", "-solver", "solver.prototxt"]) == 0

    lines = bodies(capsys.readouterr().err)
    assert lines[0] == "Use CPU."
    assert "Iteration 5, Testing net (#0)" in lines
    assert "    Test net output #0: accuracy = 1" in lines
    assert lines[-2:] == ["Optimization Done.", "Optimization Done."]
    assert (folder / "tiny_iter_10.caffemodel").exists()
    assert (folder / "tiny_iter_10.solverstate").exists()


def test_the_optimization_starts_after_the_nets_are_built(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["train", "-solver", "solver.prototxt"])

    lines = bodies(capsys.readouterr().err)
    start = lines.index("Starting Optimization")
    assert lines[start - 1] == "Solver scaffolding done."
    assert lines[start + 1 : start + 4] == [
        "Solving tiny",
        "Learning Rate Policy: fixed",
        "Iteration 0, Testing net (#0)",
    ]


def test_goes_on_from_a_snapshot(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    main(["train", "-solver", "solver.prototxt"])
    write_tiny(folder, max_iter=20)
    capsys.readouterr()

    assert (
        main(["train", "-solver", "solver.prototxt", "-snapshot", "tiny_iter_10.solverstate"]) == 0
    )

    lines = bodies(capsys.readouterr().err)
    assert "Resuming from tiny_iter_10.solverstate" in lines
    assert not [line for line in lines if line.startswith("Iteration 5")]
    assert (folder / "tiny_iter_20.caffemodel").exists()


AUTO = ["train", "-solver", "solver.prototxt", "--resume", "auto"]


def test_resumes_from_the_newest_snapshot_or_starts_from_scratch(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    assert main(AUTO) == 0
    first = bodies(capsys.readouterr().err)
    write_tiny(folder, max_iter=20)
    assert main(AUTO) == 0
    then = bodies(capsys.readouterr().err)

    assert "No valid snapshot of prefix tiny to resume from: starting without one" in first
    assert "Iteration 0, Testing net (#0)" in first
    assert "Resuming from tiny_iter_10.solverstate" in then
    assert "Iteration 10, Testing net (#0)" in then
    assert "Iteration 5, Testing net (#0)" not in then


def test_weights_count_only_where_there_is_no_snapshot_to_resume_from(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    main(["train", "-solver", "solver.prototxt"])
    (folder / "tiny_iter_10.caffemodel").rename(folder / "old.caffemodel")
    (folder / "tiny_iter_10.solverstate").unlink()
    capsys.readouterr()

    assert main([*AUTO, "-weights", "old.caffemodel"]) == 0
    first = bodies(capsys.readouterr().err)
    assert main([*AUTO, "-weights", "old.caffemodel"]) == 0
    then = bodies(capsys.readouterr().err)

    assert "Finetuning from old.caffemodel" in first
    assert "Finetuning from old.caffemodel" not in then
    assert "Resuming from tiny_iter_10.solverstate" in then


def test_hdf5_goes_all_the_way(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    solver = folder / "solver.prototxt"
    solver.write_text(solver.read_text() + "snapshot_format: HDF5")
    assert main(["train", "-solver", "solver.prototxt"]) == 0
    write_tiny(folder, max_iter=20)

    state, weights = "tiny_iter_10.solverstate.h5", "tiny_iter_10.caffemodel.h5"
    assert main(["train", "-solver", "solver.prototxt", "-snapshot", state]) == 0
    assert "Resuming from tiny_iter_10.solverstate.h5" in bodies(capsys.readouterr().err)
    both = f"tiny_iter_20.caffemodel,{weights}"
    assert main(["train", "-solver", "solver.prototxt", "-weights", both]) == 0
    lines = bodies(capsys.readouterr().err)
    assert lines.index("Finetuning from tiny_iter_20.caffemodel") < lines.index(
        f"Finetuning from {weights}"
    )

    assert main(["train", "-solver", "solver.prototxt", "-snapshot", weights]) == 1
    assert f"{weights} is no .solverstate: " in capsys.readouterr().err
    assert main(["train", "-solver", "solver.prototxt", "-weights", state]) == 1
    assert f"{state} is no .caffemodel.h5: it is a solverstate" in capsys.readouterr().err


def test_starts_from_weights_and_tells_what_they_fit(capsys: pytest.CaptureFixture[str]) -> None:
    main(["train", "-solver", "solver.prototxt"])
    capsys.readouterr()

    argv = ["train", "-solver", "solver.prototxt", "-weights", "tiny_iter_10.caffemodel"]
    assert main(argv) == 0

    err = capsys.readouterr().err
    assert (
        "Weights to start from:\n"
        "  layer  blobs   lr_mult  from\n"
        "  ip     3x5, 3  1, 1     tiny_iter_10.caffemodel\n"
    ) in err
    assert err.count("Weights to start from") == 1
    lines = bodies(err)
    assert "Layers of tiny_iter_10.caffemodel that the net does not have: " not in err
    assert "Finetuning from tiny_iter_10.caffemodel" in lines
    assert lines[lines.index("Solving tiny") + 3] == "    Test net output #0: accuracy = 1"


def test_the_solvers_own_weights_are_told_of_too(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    main(["train", "-solver", "solver.prototxt"])
    with (folder / "solver.prototxt").open("a") as file:
        file.write('weights: "tiny_iter_10.caffemodel,tiny_iter_10.caffemodel"')
    capsys.readouterr()

    assert main(["train", "-solver", "solver.prototxt"]) == 0

    assert "3x5, 3  1, 1     tiny_iter_10.caffemodel\n" in capsys.readouterr().err


def test_stages_and_level_reach_the_net(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    layer = 'layer { name: "x" type: "ReLU" bottom: "ip" top: "x" include { RULE } }'
    extra = layer.replace("RULE", 'stage: "deep" min_level: 2')
    (folder / "net.prototxt").write_text(NET + extra)

    main(["train", "-solver", "solver.prototxt", "-stage", "deep", "-level", "2"])
    with_flags = bodies(capsys.readouterr().err)
    main(["train", "-solver", "solver.prototxt", "-stage", "deep"])
    without_level = bodies(capsys.readouterr().err)

    assert "This network produces output x" in with_flags
    assert "This network produces output x" not in without_level


@pytest.mark.parametrize(
    ("flags", "status", "last"),
    [
        pytest.param([], 1, None, id="stop"),
        pytest.param(["--on-nan", "continue"], 0, "tiny_iter_10", id="continue"),
    ],
)
def test_what_diverges_stops_or_goes_on(
    flags: list[str], status: int, last: str | None, folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    solver = folder / "solver.prototxt"
    solver.write_text(solver.read_text().replace("base_lr: 2", "base_lr: 1e30 weight_decay: 1"))

    assert main(["train", "-solver", "solver.prototxt", *flags]) == status

    err = capsys.readouterr().err
    assert re.search(r"iteration \d: the loss is -?(nan|inf)", err)
    assert ("which layer 'ip' makes; lower base_lr" in err) is (status == 1)
    assert snapshots(folder) == ([last] if last else [])


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param([], "Need a solver definition to train.", id="no solver"),
        pytest.param(
            ["-solver", "solver.prototxt", "-weights", "a", "-snapshot", "b"],
            "give it or -weights, but not both",
            id="weights and snapshot",
        ),
        pytest.param(
            ["-solver", "solver.prototxt", "--resume", "auto", "-snapshot", "b"],
            "--resume auto finds the snapshot; give it or -snapshot, but not both",
            id="resume and snapshot",
        ),
        pytest.param(
            ["-solver", "solver.prototxt", "--resume", "last"],
            "invalid choice: 'last' (choose from",
            id="unknown snapshot to resume",
        ),
        pytest.param(
            ["-solver", "solver.prototxt", "-sigint_effect", "quit"],
            "invalid choice: 'quit' (choose from",
            id="unknown effect",
        ),
    ],
)
def test_bad_usage(capsys: pytest.CaptureFixture[str], argv: list[str], message: str) -> None:
    assert main(["train", *argv]) == 2

    assert message in capsys.readouterr().err


def test_a_warning_is_shown_once_for_all_nets(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "net.prototxt").write_text(NET.replace('weight_filler { type: "xavier" }', ""))

    main(["train", "-solver", "solver.prototxt"])

    assert capsys.readouterr().err.count("weight_filler") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(SolverParameter(), [], id="unset is the CPU"),
        pytest.param(SolverParameter(solver_mode=SolverParameter.CPU), [], id="CPU"),
        pytest.param(SolverParameter(solver_mode=SolverParameter.GPU), ["0"], id="GPU"),
        pytest.param(
            SolverParameter(solver_mode=SolverParameter.GPU, device_id=2), ["2"], id="another GPU"
        ),
    ],
)
def test_only_an_explicit_solver_mode_asks_for_a_gpu(
    text: SolverParameter, expected: list[str]
) -> None:
    assert gpu_of(text) == expected


PYTHON = f"""{NET}
layer {{ {python_layer("watch", "Fails", 'bottom: "ip" top: "seen"', "forward")} }}
"""


def test_a_python_layer_finds_caffe_and_its_module_in_the_current_folder(
    user_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_classes(user_folder)
    (user_folder / "net.prototxt").write_text(PYTHON.replace("'forward'", "'nowhere'"))
    monkeypatch.delitem(sys.modules, "caffe")
    assert str(user_folder) not in sys.path

    assert main(["train", "-solver", "solver.prototxt"]) == 0

    assert "Creating Layer watch" in bodies(capsys.readouterr().err)


def test_a_python_layer_that_fails_is_told_and_traced(
    user_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_classes(user_folder)
    (user_folder / "net.prototxt").write_text(PYTHON)

    assert main(["train", "-solver", "solver.prototxt"]) == 1
    short = capsys.readouterr().err
    assert main(["train", "-solver", "solver.prototxt", "--traceback"]) == 1
    long = capsys.readouterr().err

    error = "caffepy: error: layer 'watch' (Python): classes.Fails.forward: KeyError: 'anchors'"
    assert error in short
    assert "Traceback" not in short
    assert error in long
    assert 'raise KeyError("anchors")' in long


def test_profile_ends_with_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "-solver", "solver.prototxt", "--profile"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Mean of 9 iterations, after the first:"
    assert [line[:30].rstrip() for line in lines[1:]] == [
        "waiting for data",
        "forward and backward",
        "update",
        "other (tests, snapshots, log)",
        "in all",
    ]
    assert lines[-1].endswith(" 100.0 %")


PHOTOS = """
layer { name: "data" type: "Data" top: "data" top: "label"
  data_param { source: "db" batch_size: 4 shuffle: true }
  transform_param { crop_size: 5 mirror: true scale: 0.01 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 9 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


def test_any_number_of_data_workers_trains_the_same(folder: Path) -> None:
    write_images(folder / "db", [ramp(7, 8, 3, 9 * start) for start in range(9)], "png")
    (folder / "net.prototxt").write_text(PHOTOS)
    (folder / "solver.prototxt").write_text(
        'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 12 snapshot_prefix: "n" '
        "random_seed: 3"
    )
    weights = []
    for workers in ("1", "3"):
        assert main(["train", "-solver", "solver.prototxt", "--data-workers", workers]) == 0
        weights.append((folder / "n_iter_12.caffemodel").read_bytes())

    assert weights[0] == weights[1]
