"""What signals do to a training, sent while it runs."""

import logging
import os
import signal
from pathlib import Path

import pytest

from caffepy.cli.main import main
from tests.cli.tiny import bodies, snapshots, write_tiny


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a tiny net, which is the current one."""
    monkeypatch.chdir(tmp_path)
    write_tiny(tmp_path)
    return tmp_path


class Press(logging.Handler):
    """Sends this process signals when a line is logged."""

    def __init__(self, at: str, *numbers: signal.Signals) -> None:
        super().__init__()
        self.at = at
        self.numbers = numbers

    def emit(self, record: logging.LogRecord) -> None:
        """As if somebody watched the log and pressed a key."""
        if record.getMessage().startswith(self.at):
            for number in self.numbers:
                os.kill(os.getpid(), number)


def train(press: Press, *flags: str) -> int:
    """A training during which signals come."""
    logger = logging.getLogger("caffepy")
    logger.addHandler(press)
    try:
        return main(["train", "-solver", "solver.prototxt", *flags])
    finally:
        logger.removeHandler(press)


def test_ctrl_c_writes_a_snapshot_and_stops(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    assert train(Press("Iteration 5 (", signal.SIGINT)) == 0

    assert snapshots(folder) == ["tiny_iter_6"]
    assert bodies(capsys.readouterr().err)[-2:] == [
        "Optimization stopped early.",
        "Optimization Done.",
    ]


def test_a_second_ctrl_c_stops_at_once(folder: Path) -> None:
    assert train(Press("Iteration 5 (", signal.SIGINT, signal.SIGINT)) == 130

    assert snapshots(folder) == []


def test_hanging_up_writes_a_snapshot_and_goes_on(folder: Path) -> None:
    assert train(Press("Iteration 5 (", signal.SIGHUP)) == 0

    assert snapshots(folder) == ["tiny_iter_10", "tiny_iter_6"]


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        pytest.param("none", ["tiny_iter_10"], id="none"),
        pytest.param("snapshot", ["tiny_iter_10", "tiny_iter_6"], id="snapshot"),
        pytest.param("stop", ["tiny_iter_6"], id="stop"),
    ],
)
def test_effects_can_be_chosen(folder: Path, effect: str, expected: list[str]) -> None:
    assert train(Press("Iteration 5 (", signal.SIGHUP), "-sighup_effect", effect) == 0

    assert snapshots(folder) == expected


def test_afterwards_signals_do_what_they_did_before() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGHUP)

    train(Press("Iteration 5 (", signal.SIGINT))

    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGHUP)) == before
