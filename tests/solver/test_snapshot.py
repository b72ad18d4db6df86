from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from caffepy.errors import ParseError, SnapshotError, WeightsError
from caffepy.net.place import place_of
from caffepy.proto import NetParameter, SolverParameter, SolverState
from caffepy.proto.arrays import to_array
from caffepy.proto.files import read_binary, write_binary
from caffepy.solver.snapshot import check_writable, read_state, snapshot_prefix
from caffepy.solver.solver import Solver
from tests.solver.tiny import blobs, bodies, listen, write_training


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def trained(count: int = 3) -> Solver:
    """A solver with a snapshot after `count` updates."""
    solver = Solver(write_training())
    solver.step(count)
    solver.snapshot()
    return solver


@pytest.mark.parametrize(
    ("param", "prefix"),
    [
        (SolverParameter(), "models/lenet.v2"),
        (SolverParameter(snapshot_prefix="out"), "out/lenet.v2"),
        (SolverParameter(snapshot_prefix="out/run"), "out/run"),
    ],
    ids=["unset", "a directory", "a prefix"],
)
def test_prefix(param: SolverParameter, prefix: str) -> None:
    Path("out").mkdir()
    assert snapshot_prefix(param, "models/lenet.v2.prototxt") == prefix


def test_checking_a_prefix_leaves_nothing_behind() -> None:
    check_writable("run")
    assert list(Path().iterdir()) == []


def test_a_file_is_no_folder_for_snapshots() -> None:
    Path("file").touch()
    with pytest.raises(SnapshotError, match=r"'file/run'\..*Not a directory"):
        check_writable("file/run")


def test_a_snapshot_is_caffes_two_files(caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    solver = trained(3)

    assert bodies(caplog)[-2:] == [
        "Snapshotting to binary proto file tiny_iter_3.caffemodel",
        "Snapshotting solver state to binary proto file tiny_iter_3.solverstate",
    ]
    state = read_binary("tiny_iter_3.solverstate", SolverState)
    assert (state.iter, state.current_step) == (3, 0)
    assert state.learned_net == "tiny_iter_3.caffemodel"
    for stored, velocity in zip(state.history, solver.updater.history, strict=True):
        np.testing.assert_array_equal(to_array(stored), velocity)
    weights = read_binary("tiny_iter_3.caffemodel", NetParameter)
    for stored, blob in zip(weights.layer[2].blobs, blobs(solver), strict=True):
        np.testing.assert_array_equal(to_array(stored), blob)
    assert not weights.layer[2].blobs[0].diff
    assert {path.name for path in Path().iterdir()} == {
        "rows.h5", "rows.txt", "net.prototxt", "solver.prototxt",
        "tiny_iter_3.caffemodel", "tiny_iter_3.solverstate",
    }  # fmt: skip


def test_snapshot_diff_adds_what_the_last_update_took_off() -> None:
    solver = Solver(write_training("snapshot_diff: true"))
    solver.step(2)
    before = blobs(solver)
    solver.step(1)
    solver.snapshot()

    stored = read_binary("tiny_iter_3.caffemodel", NetParameter).layer[2].blobs
    for blob, old, new in zip(stored, before, blobs(solver), strict=True):
        np.testing.assert_allclose(blob.diff, (old - new).flatten(), atol=1e-6)


def test_parameters_that_are_not_finite_are_not_written() -> None:
    solver = Solver(write_training())
    with torch.no_grad():
        solver.net.learnable[1].param[0] = float("nan")
    with pytest.raises(SnapshotError, match="iteration 0: blob 1 of layer 'ip' holds values"):
        solver.snapshot()
    assert not list(Path().glob("tiny*"))


def test_weights_are_looked_for_beside_the_state_first() -> None:
    path = write_training()
    first = trained(3)
    Path("moved").mkdir()
    for file in Path().glob("tiny_iter_3.*"):
        file.rename(Path("moved", file.name))

    resumed = Solver(path, snapshot="moved/tiny_iter_3.solverstate")

    assert all(map(torch.equal, blobs(first), blobs(resumed)))


def test_weights_are_found_where_they_were_written() -> None:
    first = trained(3)
    Path("moved").mkdir()
    Path("tiny_iter_3.solverstate").rename("moved/state")

    resumed = Solver("solver.prototxt", snapshot="moved/state")

    assert all(map(torch.equal, blobs(first), blobs(resumed)))


def test_missing_weights_are_named() -> None:
    solver = trained(3)
    Path("tiny_iter_3.caffemodel").unlink()
    with pytest.raises(SnapshotError, match=r"File not found: tiny_iter_3\.caffemodel"):
        solver.restore("tiny_iter_3.solverstate")


def test_weights_that_were_written_over_are_refused() -> None:
    solver = trained(3)
    weights = read_binary("tiny_iter_3.caffemodel", NetParameter)
    weights.name = "other"
    write_binary("tiny_iter_3.caffemodel", weights)
    with pytest.raises(SnapshotError, match=r"tiny_iter_3\.caffemodel is not the file"):
        solver.restore("tiny_iter_3.solverstate")


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("tiny_iter_3.caffemodel", "is no .solverstate"),
        ("bare.solverstate", "is no .solverstate"),
        ("hdf5.solverstate", "snapshots in HDF5 cannot be read yet"),
    ],
)
def test_other_files_are_no_states(state: str, text: str) -> None:
    trained(3)
    write_binary("bare.solverstate", SolverState(current_step=1))
    Path("hdf5.solverstate").write_bytes(b"\x89HDF\r\n\x1a\n and more")
    with pytest.raises(SnapshotError, match=text):
        read_state(state)


def test_a_missing_state_is_named() -> None:
    with pytest.raises(ParseError, match=r"cannot read gone.solverstate"):
        read_state("gone.solverstate")


def test_a_history_of_another_length_is_refused() -> None:
    solver = trained(3)
    state = read_state("tiny_iter_3.solverstate")
    del state.history[1]
    write_binary("short.solverstate", state)
    with pytest.raises(
        SnapshotError, match=r"Incorrect length of history blobs\. It holds 1, .* 2"
    ):
        solver.restore("short.solverstate")


def test_the_state_of_another_net_is_refused() -> None:
    trained(3)
    path = write_training()
    wider = Path("net.prototxt").read_text().replace("num_output: 3", "num_output: 4")
    Path("net.prototxt").write_text(wider)
    with pytest.raises(SnapshotError, match=r"blob 0 of layer 'ip' has shape \(3, 5\).*\(4, 5\)"):
        Solver(path, snapshot="tiny_iter_3.solverstate")


def test_weights_of_another_net_are_refused() -> None:
    solver = trained(3)
    state = read_state("tiny_iter_3.solverstate")
    state.ClearField("run")
    write_binary("tiny_iter_3.solverstate", state)
    weights = read_binary("tiny_iter_3.caffemodel", NetParameter)
    weights.layer[2].name = "other"
    write_binary("tiny_iter_3.caffemodel", weights)
    with pytest.raises(WeightsError, match=r"tiny_iter_3\.caffemodel"):
        solver.restore("tiny_iter_3.solverstate")


def test_a_state_of_caffe_goes_on_with_the_data_from_its_start() -> None:
    first = trained(3)
    state = read_state("tiny_iter_3.solverstate")
    state.ClearField("run")
    for stored in state.history:  # as Caffe wrote them when all blobs had four axes
        dims = [1] * (4 - len(stored.shape.dim)) + list(stored.shape.dim)
        stored.num, stored.channels, stored.height, stored.width = dims
        stored.ClearField("shape")
    write_binary("tiny_iter_3.solverstate", state)

    resumed = Solver("solver.prototxt", snapshot="tiny_iter_3.solverstate")

    assert resumed.iter == 3
    assert resumed.net.positions() == {"data": 0}
    assert all(map(torch.equal, blobs(first), blobs(resumed)))
    assert all(map(torch.equal, first.updater.history, resumed.updater.history))


def test_a_state_of_other_test_nets_says_that_test_data_starts_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trained(3)
    Solver(write_training("test_iter: 1 test_interval: 2"), snapshot="tiny_iter_3.solverstate")
    assert bodies(caplog) == ["The snapshot is of 0 test nets: test data starts over"]


RESUMED = """
average_loss: 3 display: 1 iter_size: 2 lr_policy: "multistep" gamma: 0.5 stepvalue: 2 stepvalue: 5
test_iter: 2 test_interval: 3 max_iter: 9
"""


@pytest.mark.parametrize("seed", [5, -1], ids=["random_seed", "seed drawn"])
@pytest.mark.parametrize("at", [3, 5])
def test_a_resumed_run_is_the_run_it_would_have_been(
    at: int, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    listen(caplog)
    path = write_training(f"{RESUMED} snapshot: {at} random_seed: {seed}")
    whole = Solver(path)
    whole.solve()
    lines = bodies(caplog)
    begin = lines.index(
        f"Snapshotting solver state to binary proto file tiny_iter_{at}.solverstate"
    )

    resumed = Solver(path, snapshot=f"tiny_iter_{at}.solverstate")
    resuming = bodies(caplog)
    resumed.solve()

    assert resuming[-2:] == [
        f"Resuming from tiny_iter_{at}.solverstate",
        "SGDSolver: restoring history",
    ]
    assert bodies(caplog)[2:] == lines[begin + 1 :]
    assert all(map(torch.equal, blobs(whole), blobs(resumed)))
    assert all(map(torch.equal, whole.updater.history, resumed.updater.history))
    assert whole.net.positions() == resumed.net.positions()
    assert whole.test_nets[0].positions() == resumed.test_nets[0].positions()


RECURRENT = """
name: "recurrent"
layer { name: "data" type: "HDF5Data" top: "x" top: "cont" top: "y" include { phase: TRAIN }
        hdf5_data_param { source: "steps.txt" batch_size: 4 } }
layer { name: "data" type: "HDF5Data" top: "x" top: "cont" top: "y" include { phase: TEST }
        hdf5_data_param { source: "steps.txt" batch_size: 3 } }
layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "h"
        recurrent_param { num_output: 5 weight_filler { type: "uniform" min: -0.5 max: 0.5 } } }
layer { name: "rnn" type: "RNN" bottom: "h" bottom: "cont" top: "o"
        recurrent_param { num_output: 2 weight_filler { type: "uniform" min: -0.5 max: 0.5 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "o" bottom: "y" top: "loss"
        softmax_param { axis: 2 } }
"""


def write_recurrent(settings: str) -> Path:
    """A training on 22 steps of 3 streams, sequences of which run on from batch to batch."""
    path = write_training(settings)
    rng = np.random.default_rng(1)
    with h5py.File("steps.h5", "w") as file:
        file["x"] = rng.normal(size=(22, 3, 4)).astype(np.float32)
        file["cont"] = (rng.random((22, 3)) > 0.1).astype(np.float32)
        file["y"] = rng.integers(0, 2, (22, 3)).astype(np.float32)
    Path("steps.txt").write_text("steps.h5\n")
    Path("net.prototxt").write_text(RECURRENT)
    return path


@pytest.mark.parametrize("at", [3, 5])
def test_what_layers_carry_from_batch_to_batch_is_kept(
    at: int, caplog: pytest.LogCaptureFixture
) -> None:
    listen(caplog)
    path = write_recurrent(f"display: 1 test_iter: 2 test_interval: 2 snapshot: {at}")
    whole = Solver(path)
    whole.solve()
    lines = bodies(caplog)
    begin = lines.index(
        f"Snapshotting solver state to binary proto file tiny_iter_{at}.solverstate"
    )

    resumed = Solver(path, snapshot=f"tiny_iter_{at}.solverstate")
    bodies(caplog)
    resumed.solve()

    assert bodies(caplog)[2:] == lines[begin + 1 :]
    assert all(map(torch.equal, blobs(whole), blobs(resumed)))
    for ours, theirs in ((resumed.net, whole.net), (resumed.test_nets[0], whole.test_nets[0])):
        state, expected = place_of(ours).states, place_of(theirs).states
        assert {name: set(buffers) for name, buffers in state.items()} == {
            "lstm": {"h", "c"},
            "rnn": {"h"},
        }
        for name, buffers in state.items():
            assert all(torch.equal(buffers[key], expected[name][key]) for key in buffers)
