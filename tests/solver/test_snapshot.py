import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from caffepy.errors import ParseError, SnapshotError
from caffepy.net.weights_hdf5 import hdf5_weights
from caffepy.proto import NetParameter, SolverParameter, SolverState
from caffepy.proto.arrays import to_array
from caffepy.proto.files import read_binary, write_binary
from caffepy.solver.snapshot import (
    check_writable,
    find_weights,
    read_header,
    read_state,
    snapshot_prefix,
)
from caffepy.solver.solver import Solver
from tests.solver.tiny import blobs, bodies, listen, trained, write_training


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


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


def test_a_prefix_may_be_a_folder_that_is_not_there() -> None:
    with pytest.raises(SnapshotError, match=r"'runs/'\..*\(No such file or directory: runs\)"):
        check_writable("runs/")


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


def test_the_one_that_fits_is_taken_of_two_files_of_the_same_name() -> None:
    first = trained(3)
    Path("moved").mkdir()
    Path("tiny_iter_3.solverstate").rename("moved/tiny_iter_3.solverstate")
    Path("moved/tiny_iter_3.caffemodel").write_bytes(b"of another training")

    resumed = Solver("solver.prototxt", snapshot="moved/tiny_iter_3.solverstate")

    assert all(map(torch.equal, blobs(first), blobs(resumed)))


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("tiny_iter_3.caffemodel", "tiny_iter_3.caffemodel is no .solverstate: it names neither"),
        ("renamed.solverstate", "no .solverstate: it names neither|no field of SolverState"),
        ("bare.solverstate", "bare.solverstate is no .solverstate: it names neither"),
        ("weights.h5", "weights.h5 is no .solverstate: it names neither"),
        ("odd.h5", "odd.h5 is no .solverstate.h5: "),
        ("broken.h5", "broken.h5 cannot be read as an HDF5 file"),
        ("cut.h5", "cut.h5 cannot be read as an HDF5 file: .*truncated"),
        ("cut.solverstate", r"cut.solverstate: \d+ bytes that are cut short|cut.solverstate: no binary"),
        ("empty", "empty: "),
        ("zeros", "zeros: |zeros is no .solverstate"),
        ("text", "text: "),
        ("gone", "cannot read gone"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("read", [read_state, read_header])
def test_other_files_are_no_states(
    read: Callable[[str], SolverState], state: str, text: str
) -> None:
    whole = trained(3)
    write_binary("bare.solverstate", SolverState(current_step=1))
    Path("renamed.solverstate").write_bytes(Path("tiny_iter_3.caffemodel").read_bytes())
    Path("weights.h5").write_bytes(hdf5_weights(whole.net, "weights.h5"))
    Path("broken.h5").write_bytes(b"\x89HDF\r\n\x1a\n and more")
    Path("cut.h5").write_bytes(Path("rows.h5").read_bytes()[:-9])
    with h5py.File("odd.h5", "w") as file:
        file["iter"] = file["learned_net"] = 3.5
    Path("cut.solverstate").write_bytes(Path("tiny_iter_3.solverstate").read_bytes()[:-9])
    Path("empty").touch()
    Path("zeros").write_bytes(bytes(200))
    Path("text").write_text("iter: 3\n")

    with pytest.raises((ParseError, SnapshotError), match=text):
        read(state)


@pytest.mark.parametrize("settings", ["", "snapshot_format: HDF5"], ids=["binary", "HDF5"])
def test_a_header_is_the_state_without_its_history(settings: str) -> None:
    trained(3, settings)
    (path,) = Path().glob("*.solverstate*")
    whole, header = read_state(path), read_header(path)
    assert len(whole.history) == 2
    whole.ClearField("history")
    whole.ClearField("current_step")
    header.ClearField("current_step")
    assert header == whole


def written() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path().glob("tiny_iter_*")}


def test_hdf5_has_caffes_names_and_lines(caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    trained(3, "snapshot_format: HDF5")

    assert bodies(caplog)[-2:] == [
        "Snapshotting to HDF5 file tiny_iter_3.caffemodel.h5",
        "Snapshotting solver state to HDF5 file tiny_iter_3.solverstate.h5",
    ]
    assert set(written()) == {"tiny_iter_3.caffemodel.h5", "tiny_iter_3.solverstate.h5"}
    assert read_state("tiny_iter_3.solverstate.h5").learned_net == "tiny_iter_3.caffemodel.h5"


@pytest.mark.parametrize("name", ["tiny_iter_3.caffemodel", "tiny_iter_3.solverstate"])
def test_a_pair_that_cannot_be_written_leaves_no_half_of_it(name: str) -> None:
    """The folder in the place of a file stands for whatever a disk can refuse."""
    solver = Solver(write_training())
    solver.step(3)
    Path(f".{name}.{os.getpid()}.tmp").mkdir()

    with pytest.raises(SnapshotError, match=f"cannot write {name}: Is a directory"):
        solver.snapshot()

    assert written() == {}


def test_a_pair_that_cannot_be_written_leaves_the_older_one() -> None:
    trained(3)
    before = written()
    solver = Solver(write_training("random_seed: 9"))
    solver.step(3)
    Path(f".tiny_iter_3.solverstate.{os.getpid()}.tmp").mkdir()

    with pytest.raises(SnapshotError, match=r"cannot write tiny_iter_3\.solverstate"):
        solver.snapshot()

    assert written() == before


def test_an_older_state_goes_before_its_weights_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after any step of the exchange, a state on the disk has the weights it names."""
    trained(3)
    solver = Solver(write_training("random_seed: 9"))
    solver.step(3)
    seen = []
    unlink, replace = Path.unlink, Path.replace

    def look() -> None:
        states = Path().glob("tiny_iter_3.solverstate")
        seen.append([find_weights(read_state(path), path).name for path in states])

    def unlinks(path: Path, *, missing_ok: bool = False) -> None:
        unlink(path, missing_ok=missing_ok)
        look()

    def replaces(path: Path, target: Path) -> Path:
        result = replace(path, target)
        look()
        return result

    monkeypatch.setattr(Path, "unlink", unlinks)
    monkeypatch.setattr(Path, "replace", replaces)
    solver.snapshot()

    assert seen[:3] == [[], [], ["tiny_iter_3.caffemodel"]]


def test_an_older_state_of_the_same_weights_stays_all_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    solver = trained(3)
    removed = []
    unlink = Path.unlink

    def unlinks(path: Path, *, missing_ok: bool = False) -> None:
        removed.append(path.name)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", unlinks)
    solver.snapshot()

    assert "tiny_iter_3.solverstate" not in removed
    assert find_weights(read_state("tiny_iter_3.solverstate"), "tiny_iter_3.solverstate").name
