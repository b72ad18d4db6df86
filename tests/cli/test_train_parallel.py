"""`caffepy train_parallel`: real processes, on the CPU."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from caffepy.cli.main import main
from caffepy.proto.weights import read_weights

NET = """
layer { name: "rows" type: "HDF5Data" top: "x" top: "y"
        hdf5_data_param { source: "list.txt" batch_size: BATCH } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
        inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "y" top: "loss" }
"""
SOLVER = """
net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 6 random_seed: 3
display: 2 snapshot: 4 snapshot_prefix: "NAME"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    with h5py.File("rows.h5", "w") as file:
        file["x"] = rng.normal(size=(12, 3)).astype(np.float32)
        file["y"] = rng.normal(size=(12, 2)).astype(np.float32)
    Path("list.txt").write_text("rows.h5\n")


def write(name: str, batch: int) -> str:
    Path("net.prototxt").write_text(NET.replace("BATCH", str(batch)))
    Path(f"{name}.solver").write_text(SOLVER.replace("NAME", name))
    return f"{name}.solver"


@pytest.mark.slow
def test_two_processes_train_as_one_with_twice_the_batch(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--solver", write("one", batch=4)]) == 0
    capfd.readouterr()

    assert (
        main(["train_parallel", "--solver", write("two", batch=2), "--cpus", "2", "--timing"]) == 0
    )

    said = capfd.readouterr().err
    assert said.count("Iteration 4, lr = 0.1") == 1
    assert "Iteration 4, on average since the last: forward " in said
    two, one = read_weights("two_iter_6.caffemodel"), read_weights("one_iter_6.caffemodel")
    for ours, theirs in zip(two, one, strict=True):
        for blob, expected in zip(ours.blobs, theirs.blobs, strict=True):
            np.testing.assert_allclose(blob, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_what_goes_wrong_in_a_process_is_said_and_stops_all(
    capfd: pytest.CaptureFixture[str],
) -> None:
    command = ["--solver", write("two", batch=2), "--cpus", "2", "--snapshot", "gone.solverstate"]

    assert main(["train_parallel", *command]) == 1

    said = capfd.readouterr().err
    # Both fail, and the first one is told of.
    assert re.search(r"caffepy: error: process [01]: cannot read gone\.solverstate", said)
    assert "of 2 failed" in said


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--cpus", "0"], 2, "--cpus is 0; it takes 1 or more"),
        (["--gpus", "99"], 1, "--gpu 99: "),
    ],
)
def test_refuses_before_it_starts_any(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train_parallel", "--solver", write("two", batch=2), *arguments]) == code

    assert message in capsys.readouterr().err


def test_a_rate_that_each_process_would_lower_by_itself_is_refused_once(
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = Path(write("two", batch=2))
    path.write_text(path.read_text().replace('"fixed"', '"plateau" gamma: 0.1 plateau_winsize: 2'))

    assert main(["train_parallel", "--solver", str(path), "--cpus", "2"]) == 1

    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("caffepy: error: two.solver:2:34: lr_policy 'plateau' goes by what")
