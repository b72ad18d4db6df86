"""Event files, read back by TensorBoard's own reader."""

import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from caffepy.cli.main import main
from caffepy.cli.tensorboard import EventFile, tagged
from caffepy.errors import CaffeError
from tests.cli.tiny import NET, write_tiny

Series = dict[str, list[tuple[int, float]]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_tiny(tmp_path)
    return tmp_path


def train(*flags: str) -> int:
    return main(["train", "-solver", "solver.prototxt", "--tensorboard", "board", *flags])


def board() -> Series:
    """What TensorBoard shows of the folder: by tag, step and value."""
    events = EventAccumulator("board")
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def steps(shown: Series) -> dict[str, list[int]]:
    return {tag: [step for step, _ in values] for tag, values in shown.items()}


def test_holds_what_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    assert train() == 0

    err, shown = capsys.readouterr().err, board()
    assert steps(shown) == {
        "loss": [0, 5, 10],
        "lr": [0, 5],
        "train/loss": [0, 5],
        "test/accuracy": [0, 5, 10],
        "test/loss": [0, 5, 10],
    }
    assert [value for _, value in shown["lr"]] == [2, 2]
    for step, value in shown["loss"][:2]:
        assert f"Iteration {step} (" in err
        assert f"iters), loss = {value:g}\n" in err
    for _, value in shown["test/loss"]:
        assert f"Test net output #1: loss = {value:g} (" in err


def test_a_resumed_run_goes_on_where_the_snapshot_was(folder: Path) -> None:
    text = (folder / "solver.prototxt").read_text()
    (folder / "solver.prototxt").write_text(f"{text}\nsnapshot: 5\n")
    train()
    whole = board()

    assert train("-snapshot", "tiny_iter_5.solverstate") == 0

    assert board() == whole


def test_a_run_from_the_start_is_drawn_anew() -> None:
    train()
    whole = board()

    assert train() == 0

    assert board() == whole


def test_test_nets_and_elements_have_tags_of_their_own(folder: Path) -> None:
    (folder / "net.prototxt").write_text(NET)
    (folder / "wide.prototxt").write_text(
        NET.replace('top: "accuracy"', 'top: "accuracy" top: "of_class"')
    )
    text = (folder / "solver.prototxt").read_text()
    text = text.replace("net:", "train_net:").replace("test_iter: 3", "test_iter: 3 test_iter: 2")
    nets = 'test_net: "net.prototxt" test_net: "wide.prototxt" test_compute_loss: true'
    (folder / "solver.prototxt").write_text(f"{text}{nets}")

    assert train() == 0

    assert {tag for tag in board() if tag.startswith("test")} == {
        *("test/accuracy", "test/loss", "test_loss"),
        *("test_1/accuracy", "test_1/loss", "test_1_loss"),
        *("test_1/of_class/0", "test_1/of_class/1", "test_1/of_class/2"),
    }


def test_tags() -> None:
    assert dict(tagged("train", [("a", 1), ("b", 2), ("b", 3)])) == {
        "train/a": 1,
        "train/b/0": 2,
        "train/b/1": 3,
    }
    assert dict(tagged("", [("lr", 1)])) == {"lr": 1}


def test_without_tensorboard_nothing_is_trained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)

    assert train() == 1

    err = capsys.readouterr().err
    assert "pip install 'caffepy[tensorboard]'" in err
    assert "Creating training net" not in err


def test_a_folder_that_cannot_be_made(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "board").write_text("")

    assert train() == 1

    assert "--tensorboard board: File exists" in capsys.readouterr().err


def test_a_disk_that_is_full_stops_the_training_with_its_name() -> None:
    """/dev/full refuses every byte as such a disk does."""
    events = EventFile("board", 0)
    events.path.unlink()
    events.path.symlink_to("/dev/full")

    with pytest.raises(CaffeError, match=r"^--tensorboard board: No space left on device$"):
        events.add(5, {"loss": 0.5})


def test_without_the_flag_nothing_is_written(folder: Path) -> None:
    assert main(["train", "-solver", "solver.prototxt"]) == 0

    assert not (folder / "board").exists()
