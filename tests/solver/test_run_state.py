"""A resumed run is the run it would have been."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from caffepy.net.place import place_of
from caffepy.proto import BestTest
from caffepy.solver.snapshot import read_state
from caffepy.solver.solver import Solver
from tests.solver.tiny import blobs, bodies, listen, trained, write_training


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


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


@pytest.mark.parametrize("suffix", ["", ".h5"], ids=["binary", "HDF5"])
@pytest.mark.parametrize("seed", [5, -1], ids=["random_seed", "seed drawn"])
@pytest.mark.parametrize("at", [3, 5])
def test_a_resumed_run_is_the_run_it_would_have_been(
    at: int, seed: int, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    listen(caplog)
    kind, written = ("HDF5", "HDF5") if suffix else ("BINARYPROTO", "binary proto")
    settings = f"snapshot: {at} random_seed: {seed} snapshot_format: {kind}"
    path = write_training(f"{RESUMED} {settings}")
    whole = Solver(path)
    whole.solve()
    lines = bodies(caplog)
    begin = lines.index(
        f"Snapshotting solver state to {written} file tiny_iter_{at}.solverstate{suffix}"
    )

    resumed = Solver(path, snapshot=f"tiny_iter_{at}.solverstate{suffix}")
    resuming = bodies(caplog)
    resumed.solve()

    assert resuming[-2:] == [
        f"Resuming from tiny_iter_{at}.solverstate{suffix}",
        "SGDSolver: restoring history",
    ]
    assert bodies(caplog)[2:] == lines[begin + 1 :]
    assert all(map(torch.equal, blobs(whole), blobs(resumed)))
    assert all(map(torch.equal, whole.updater.history, resumed.updater.history))
    assert whole.net.positions() == resumed.net.positions()
    assert whole.test_nets[0].positions() == resumed.test_nets[0].positions()


@pytest.mark.parametrize("at", [3, 6])
def test_a_run_goes_on_from_its_best_as_from_any_snapshot(
    at: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Also from that of the last test, before which Caffe reads one more batch."""
    path = write_training(f"{RESUMED} max_iter: 12")
    whole = Solver(path)
    whole.solve()

    best = Solver(write_training(f'{RESUMED} keep_best: "loss" max_iter: {at}'))
    best._keeper.best = BestTest(output="loss", value=9e9, iter=0)  # for the last test to be better
    best.step(at - 1)
    best._keeper.best = BestTest(output="loss", value=9e9, iter=0)
    best.solve()
    assert read_state("tiny_best.solverstate").iter == at
    write_training(f"{RESUMED} max_iter: 12")
    resumed = Solver(path, snapshot="tiny_best.solverstate")
    caplog.clear()
    resumed.solve()

    assert resumed.iter == 12
    assert all(map(torch.equal, blobs(whole), blobs(resumed)))
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
