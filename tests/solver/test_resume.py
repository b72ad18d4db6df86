"""Going on from a snapshot: what is refused, and what Caffe's own states give."""

from pathlib import Path

import pytest
import torch

from caffepy.errors import SnapshotError, SolverError, WeightsError
from caffepy.proto import NetParameter
from caffepy.proto.files import read_binary, write_binary
from caffepy.solver.snapshot import read_state
from caffepy.solver.solver import Solver
from tests.solver.tiny import blobs, trained, write_training


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


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


def test_the_state_of_another_type_of_solver_is_refused() -> None:
    trained(3)
    path = write_training('type: "Nesterov"')

    with pytest.raises(SnapshotError) as caught:
        Solver(path, snapshot="tiny_iter_3.solverstate")

    assert str(caught.value) == (
        "tiny_iter_3.solverstate: its history is that of a SGD solver, and this one is Nesterov; "
        "-weights tiny_iter_3.caffemodel takes the weights alone"
    )


def test_what_is_to_be_found_is_not_given() -> None:
    trained(3)
    with pytest.raises(SolverError, match=r"resume finds the snapshot; leave out tiny_iter_3"):
        Solver("solver.prototxt", snapshot="tiny_iter_3.solverstate", resume=True)


def test_weights_that_lack_a_layer_are_refused() -> None:
    """Caffe goes on with what the filler drew for it."""
    trained(3)
    path = write_training()
    text = Path("net.prototxt").read_text()
    first = """layer { name: "low" type: "InnerProduct" bottom: "data" top: "low"
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
        layer { name: "ip\""""
    rest = text.replace('bottom: "data" top: "ip"', 'bottom: "low" top: "ip"')
    Path("net.prototxt").write_text(rest.replace('layer {\n  name: "ip"', first))
    Solver(path).snapshot()
    renamed = Path("net.prototxt").read_text().replace('"low"', '"lower"')
    Path("net.prototxt").write_text(renamed)

    with pytest.raises(SnapshotError, match=r"iter_0\.caffemodel has no blobs for 'lower'"):
        Solver(path, snapshot="tiny_iter_0.solverstate")


@pytest.mark.parametrize(
    ("first", "then"),
    [("BINARYPROTO", "HDF5"), ("HDF5", "BINARYPROTO")],
)
def test_a_run_may_go_on_in_another_format(first: str, then: str) -> None:
    solver = trained(3, f"snapshot_format: {first}")
    (state,) = Path().glob("*.solverstate*")

    resumed = Solver(write_training(f"snapshot_format: {then}"), snapshot=state)

    assert resumed.iter == 3
    assert all(map(torch.equal, blobs(solver), blobs(resumed)))
    assert all(map(torch.equal, solver.updater.history, resumed.updater.history))
