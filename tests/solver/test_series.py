"""The snapshots of a prefix: the newest that is valid, and the ones to delete."""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from caffepy.errors import SnapshotError
from caffepy.proto.files import write_binary
from caffepy.solver.series import clear_leftovers, find_snapshot, prune
from caffepy.solver.snapshot import read_state
from caffepy.solver.solver import Solver
from tests.solver.tiny import bodies, listen, write_training


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*iterations: int, settings: str = "") -> Solver:
    """A training with snapshots after these many updates."""
    solver = Solver(write_training(settings))
    for iteration in iterations:
        solver.step(iteration - solver.iter)
        solver.snapshot()
    return solver


def names() -> list[str]:
    """What there is under the prefix, without the prefix."""
    return sorted(path.name.removeprefix("tiny_") for path in Path().glob("tiny_*"))


def pairs(*iterations: int, suffix: str = "") -> list[str]:
    kinds = ("caffemodel", "solverstate")
    return sorted(f"iter_{number}.{kind}{suffix}" for number in iterations for kind in kinds)


def test_the_newest_is_found() -> None:
    run(2, 9, 10)
    assert find_snapshot("tiny") == Path("tiny_iter_10.solverstate")


def test_without_snapshots_there_is_none(caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    Path("tiny_iter_5.caffemodel").touch()
    Path("tiny_two_iter_5.solverstate").touch()

    assert find_snapshot("tiny") is None
    assert find_snapshot("nowhere/tiny") is None

    assert bodies(caplog) == [
        "No valid snapshot of prefix tiny to resume from: starting without one",
        "No valid snapshot of prefix nowhere/tiny to resume from: starting without one",
    ]


def test_newest_is_what_was_written_last_not_what_has_the_highest_number() -> None:
    """A training started anew over an older one goes on as itself."""
    run(4, 20)
    run(3)
    assert find_snapshot("tiny") == Path("tiny_iter_3.solverstate")


def test_the_time_of_a_copied_file_does_not_matter() -> None:
    run(4, 20)
    os.utime("tiny_iter_4.solverstate", (4e9, 4e9))
    assert find_snapshot("tiny") == Path("tiny_iter_20.solverstate")


def test_caffes_own_go_by_the_time_of_the_file() -> None:
    run(4, 5)
    for name, time in (("tiny_iter_4.solverstate", 4e9), ("tiny_iter_5.solverstate", 3e9)):
        state = read_state(name)
        state.ClearField("run")
        write_binary(name, state)
        os.utime(name, (time, time))
    assert find_snapshot("tiny") == Path("tiny_iter_4.solverstate")


def test_formats_stand_side_by_side() -> None:
    run(4)
    run(3, settings="snapshot_format: HDF5")
    assert find_snapshot("tiny") == Path("tiny_iter_3.solverstate.h5")


def test_one_that_takes_h5py_is_not_passed_over_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(3)
    run(4, settings="snapshot_format: HDF5")
    monkeypatch.setitem(sys.modules, "h5py", None)

    with pytest.raises(SnapshotError, match=r"tiny_iter_4\.solverstate\.h5: .*not installed"):
        find_snapshot("tiny")


def test_a_clock_that_was_set_back_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    run(4)
    monkeypatch.setattr("time.time_ns", lambda: 1000)
    resumed = Solver("solver.prototxt", snapshot="tiny_iter_4.solverstate")
    resumed.step(2)
    resumed.snapshot()
    assert find_snapshot("tiny") == Path("tiny_iter_6.solverstate")


def cut(name: str) -> None:
    Path(name).write_bytes(Path(name).read_bytes()[:-9])


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        pytest.param(
            lambda: cut("tiny_iter_6.solverstate"),
            "tiny_iter_6.solverstate: no binary SolverState: cut short",
            id="cut short",
        ),
        pytest.param(
            lambda: Path("tiny_iter_6.solverstate").write_bytes(b""),
            "tiny_iter_6.solverstate: no binary SolverState: ",
            id="empty",
        ),
        pytest.param(
            lambda: Path("tiny_iter_6.caffemodel").unlink(),
            "tiny_iter_6.solverstate: File not found: tiny_iter_6.caffemodel",
            id="no weights",
        ),
        pytest.param(
            lambda: cut("tiny_iter_6.caffemodel"),
            "tiny_iter_6.solverstate: tiny_iter_6.caffemodel is not the file",
            id="half the weights",
        ),
        pytest.param(
            lambda: Path("tiny_iter_6.caffemodel").write_bytes(
                Path("tiny_iter_4.caffemodel").read_bytes()
            ),
            "tiny_iter_6.solverstate: tiny_iter_6.caffemodel is not the file",
            id="other weights",
        ),
    ],
)
def test_invalid_ones_are_passed_over_and_named(
    harm: Callable[[], object], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    run(2, 4, 6)
    harm()
    caplog.clear()

    assert find_snapshot("tiny") == Path("tiny_iter_4.solverstate")

    (line,) = bodies(caplog)
    assert line.startswith(f"Passing over a snapshot: {reason}")


def test_weights_of_a_state_of_caffe_must_be_whole(caplog: pytest.LogCaptureFixture) -> None:
    run(2, 4)
    state = read_state("tiny_iter_4.solverstate")
    state.ClearField("run")
    write_binary("tiny_iter_4.solverstate", state)
    cut("tiny_iter_4.caffemodel")

    assert find_snapshot("tiny") == Path("tiny_iter_2.solverstate")
    assert "tiny_iter_4.caffemodel" in bodies(caplog)[0]


@pytest.mark.parametrize(
    ("settings", "suffix"), [("", ""), ("snapshot_format: HDF5", ".h5")], ids=["binary", "HDF5"]
)
def test_the_last_ones_are_kept(settings: str, suffix: str) -> None:
    run(1, 2, 8, 9, 10, 11, settings=f"keep_last: 3 {settings}")
    assert names() == pairs(9, 10, 11, suffix=suffix)


def test_a_resumed_run_deletes_what_it_wrote_before() -> None:
    run(1, 2, 3, settings="keep_last: 2")
    resumed = Solver("solver.prototxt", resume=True)
    resumed.step(1)
    resumed.snapshot()
    assert names() == pairs(3, 4)


def test_what_a_killed_run_left_goes_before_more_is_written() -> None:
    run(1, 2, 3, 4)
    resumed = Solver(write_training("keep_last: 2"), resume=True)
    resumed.net.learnable[0].param.data[0] = math.nan  # which is not written

    with pytest.raises(SnapshotError):
        resumed.snapshot()

    assert names() == pairs(3, 4)


def test_snapshots_of_another_run_stay() -> None:
    run(1, 5)
    run(2, 3, 4, settings="keep_last: 1")
    assert names() == pairs(1, 4, 5)


def test_what_caffe_wrote_stays() -> None:
    run(1, 2)
    for path in list(Path().glob("*.solverstate")):
        state = read_state(path)
        state.ClearField("run")
        write_binary(path, state)
    resumed = Solver(write_training("keep_last: 1"), snapshot="tiny_iter_2.solverstate")
    for _ in range(2):
        resumed.step(1)
        resumed.snapshot()
    assert names() == pairs(1, 2, 4)


def test_what_an_older_caffepy_wrote_without_an_id_stays() -> None:
    run(1)
    state = read_state("tiny_iter_1.solverstate")
    state.run.ClearField("run_id")
    write_binary("tiny_iter_1.solverstate", state)
    resumed = Solver(write_training("keep_last: 1"), snapshot="tiny_iter_1.solverstate")
    for _ in range(2):
        resumed.step(1)
        resumed.snapshot()
    assert names() == pairs(1, 3)


def test_a_run_that_went_back_leaves_what_lies_ahead() -> None:
    run(1, 2, 3, 4)
    settings = write_training("keep_last: 1")
    resumed = Solver(settings, snapshot="tiny_iter_2.solverstate")
    resumed.step(1)
    resumed.snapshot()
    assert names() == pairs(3, 4)


def test_weights_that_are_no_more_what_was_written_stay() -> None:
    run(1, 2)
    Path("tiny_iter_1.caffemodel").write_bytes(b"put here by somebody")
    (run_id,) = {read_state(path).run.run_id for path in Path().glob("*.solverstate")}

    prune("tiny", run_id, 2, 1)

    assert names() == ["iter_1.caffemodel", *pairs(2)]


def test_what_cannot_be_read_stays_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    Path("tiny_iter_1.solverstate").write_bytes(b"")
    run(2, 3, settings="keep_last: 1")
    assert names() == ["iter_1.solverstate", *pairs(3)]
    assert all(
        line.startswith("Leaving a snapshot: tiny_iter_1.solverstate: ") for line in bodies(caplog)
    )


def gone() -> int:
    """The number of a process that has ended."""
    return int(subprocess.check_output([sys.executable, "-c", "import os; print(os.getpid())"]))


def test_unfinished_files_of_processes_that_are_gone_are_removed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listen(caplog)
    left = [f".tiny_iter_5.caffemodel.h5.{gone()}.tmp", f".tiny_best.solverstate.{os.getpid()}.tmp"]
    others = [
        f".tiny_iter_5.caffemodel.{os.getppid()}.tmp",
        f".tiny_two_iter_5.caffemodel.{gone()}.tmp",
        f".tiny_iter_5.txt.{gone()}",
    ]
    for name in (*left, *others):
        Path(name).touch()

    clear_leftovers("tiny")
    clear_leftovers("nowhere/tiny")

    assert {path.name for path in Path().iterdir()} == set(others)
    assert sorted(bodies(caplog)) == sorted(
        f"Removing {name}, which a process that was killed has left" for name in left
    )
