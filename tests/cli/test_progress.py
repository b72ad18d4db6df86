import io
import logging
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TextIO, cast

import pytest
from rich.console import Console

from caffepy.cli.progress import Terminal, counted, progress
from caffepy.solver.solver import Solver
from tests.solver.tiny import write_training


@pytest.fixture(autouse=True)
def capable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that draws, wherever the tests run."""
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def solver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Solver:
    monkeypatch.chdir(tmp_path)
    return Solver(write_training("max_iter: 3"))


def terminal(*, real: bool) -> tuple[Console, io.StringIO]:
    """A console of 100 columns and what is written to it."""
    written = io.StringIO()
    return Console(file=written, force_terminal=real, width=100), written


def test_a_terminal_shows_how_far_a_training_is(solver: Solver) -> None:
    console, written = terminal(real=True)
    with progress(solver, console):
        solver.solve()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue())
    assert "tiny" in text
    assert re.search(r"3/3 .*iter/s ETA 0:00:00 loss \d\.\d+ +lr 0\.2", text)
    assert "nan" not in text
    assert solver.progress is None


def test_log_lines_stand_above_the_bar_whole(solver: Solver) -> None:
    console, written = terminal(real=True)
    logger, stream = logging.getLogger("caffepy"), io.StringIO()
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    line = "[not markup] " + "long " * 40 + "end"
    try:
        with progress(solver, console):
            logger.warning(line)
        logger.warning("afterwards")
    finally:
        logger.removeHandler(handler)

    assert line in written.getvalue()
    assert stream.getvalue() == "afterwards\n"


def test_a_training_outlives_its_terminal(solver: Solver) -> None:
    far, near = os.openpty()
    with (
        suppress(OSError),  # of what is held back at the end
        os.fdopen(near, "w", buffering=1) as stream,
    ):
        console = Console(file=cast("TextIO", Terminal(stream)), width=100)
        assert console.is_terminal
        with progress(solver, console):
            os.close(far)
            solver.solve()
    assert solver.iter == 3


def test_elsewhere_nothing_is_shown(solver: Solver) -> None:
    console, written = terminal(real=False)
    with progress(solver, console):
        solver.solve()
    assert written.getvalue() == ""


def test_an_error_ends_the_bar(solver: Solver) -> None:
    console, written = terminal(real=True)
    with pytest.raises(KeyboardInterrupt), progress(solver, console):
        raise KeyboardInterrupt
    assert written.getvalue().endswith("\x1b[?25h") or "\x1b[?25h" in written.getvalue()
    assert solver.progress is None


def test_counts_what_is_done() -> None:
    console, written = terminal(real=True)
    with counted("images", console) as tell:
        tell(30, 40)
        tell(40, 40)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue())
    assert "40/40 images" in text


def test_log_lines_stand_above_the_count() -> None:
    console, written = terminal(real=True)
    logger, stream = logging.getLogger("caffepy"), io.StringIO()
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    try:
        with counted("images", console):
            logger.warning("a line")
    finally:
        logger.removeHandler(handler)

    assert "a line" in written.getvalue()
    assert stream.getvalue() == ""


def test_elsewhere_nothing_is_counted() -> None:
    console, written = terminal(real=False)
    with counted("images", console) as tell:
        tell(1, 1)
    assert written.getvalue() == ""
