"""`--pool-norm-order`, and the verbs that take it."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from caffepy.cli.flags import UsageError
from caffepy.cli.main import load, main
from caffepy.graph.load import load_graph
from caffepy.net.build import build_net
from caffepy.net.weights import write_weights
from caffepy.proto import TEST, NetState, PoolNormOrder

POOL = """
layer { name: "pool" type: "Pooling" bottom: "%s" top: "pool"
  pooling_param { kernel_size: 2 stride: 2 } }
"""
NORM = """
layer { name: "norm" type: "LRN" bottom: "%s" top: "norm" lrn_param { local_size: 3 alpha: 2 } }
"""
NET = """
layer { name: "data" type: "HDF5Data" top: "data" top: "label"
  hdf5_data_param { source: "list.txt" batch_size: 2 } }
%s
layer { name: "ip" type: "InnerProduct" bottom: "%s" top: "ip" inner_product_param {
  num_output: 2 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
POOL_FIRST = NET % (POOL % "data" + NORM % "pool", "norm")
NORM_FIRST = NET % (NORM % "data" + POOL % "norm", "pool")
SOLVER = """
net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 3 display: 1 random_seed: 1
test_iter: 2 test_interval: 2 snapshot_prefix: "small"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with 4 records of 3 channels, and a solver; it is the current one."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["data"] = rng.normal(size=(4, 3, 4, 6)).astype(np.float32)
        file["label"] = np.array([0, 1, 1, 0], np.float32)
    (tmp_path / "list.txt").write_text("data.h5\n")
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    return tmp_path


def losses(capsys: pytest.CaptureFixture[str], *argv: str) -> list[str]:
    """What a command line logs of losses."""
    assert main(argv) == 0
    return re.findall(r"loss = (\S+)", capsys.readouterr().err)


def test_train_orders_the_nets_to_train_and_to_test(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "net.prototxt").write_text(NORM_FIRST)
    expected = losses(capsys, "train", "-solver", "solver.prototxt")
    (folder / "net.prototxt").write_text(POOL_FIRST)

    found = losses(capsys, "train", "-solver", "solver.prototxt", "-pool_norm_order", "norm_first")

    assert found == expected
    assert losses(capsys, "train", "-solver", "solver.prototxt") != expected


def test_test_orders_the_net(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The weights are those of the other order: layers keep their names."""
    (folder / "pool_first.prototxt").write_text(POOL_FIRST)
    (folder / "norm_first.prototxt").write_text(NORM_FIRST)
    net = build_net(load_graph("pool_first.prototxt", NetState(phase=TEST)))
    write_weights(net, "small.caffemodel")
    score = ("test", "-weights", "small.caffemodel", "-iterations", "2", "-model")
    expected = losses(capsys, *score, "norm_first.prototxt")

    found = losses(capsys, *score, "pool_first.prototxt", "--pool-norm-order=norm_first")

    assert found == expected
    assert losses(capsys, *score, "pool_first.prototxt") != expected


@pytest.mark.parametrize("verb", ["train", "test", "classify"])
@pytest.mark.parametrize(
    ("word", "order"),
    [
        ("as_written", PoolNormOrder.AS_WRITTEN),
        ("norm_first", PoolNormOrder.NORM_FIRST),
        ("POOL_FIRST", PoolNormOrder.POOL_FIRST),
    ],
)
def test_verbs_take_the_flag(verb: str, word: str, order: PoolNormOrder) -> None:
    _, parser = load(verb)

    args = parser.parse(["a.png", "--pool-norm-order", word][verb != "classify" :])

    assert args.pool_norm_order == order


def test_without_the_flag_the_net_decides() -> None:
    assert load("test")[1].parse([]).pool_norm_order is None


def test_help_names_the_orders(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])

    help_text = capsys.readouterr().out
    assert all(word in help_text for word in ("as_written", "norm_first", "pool_first"))


def test_another_word_is_bad_usage() -> None:
    with pytest.raises(UsageError, match="'last' is no order: as_written, norm_first, pool_first"):
        load("test")[1].parse(["--pool-norm-order", "last"])
