"""Reading the prefixes of logs: with a year and without, over midnight and the new year."""

import logging
import os
from datetime import datetime
from pathlib import Path

import pytest

from caffepy.cli.log_lines import read_lines, start
from caffepy.errors import DataError
from caffepy.glog import ClassicFormatter


def write(path: Path, *lines: str, changed: datetime | None = None) -> Path:
    """A log, and when it was last changed."""
    path.write_text("".join(f"{line}\n" for line in lines))
    if changed is not None:
        os.utime(path, (changed.timestamp(), changed.timestamp()))
    return path


def times(path: Path) -> list[datetime]:
    return [line.time for line in read_lines(path)]


CLASSIC = "I0210 13:39:22.381027 25210 solver.cpp:204] Iteration 20"
MOMENT = datetime(2016, 2, 10, 13, 39, 22, 381027)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(CLASSIC, id="classic"),
        pytest.param(CLASSIC.replace("I0210", "I20160210"), id="with a year"),
        pytest.param(CLASSIC.replace("I0210", "W0210"), id="a warning"),
        pytest.param(f"trainer_1  | {CLASSIC}", id="behind what another program put before it"),
        pytest.param(f"I0210 13:39:20.1 7 net.cpp:1] Iterat{CLASSIC}", id="in a line cut off"),
    ],
)
def test_a_line_has_its_moment_and_what_it_says(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "log", "no prefix", line, changed=datetime(2016, 3, 1))

    (read,) = read_lines(path)

    assert read == (2, MOMENT, "Iteration 20\n")


def test_reads_what_caffepy_logs(tmp_path: Path) -> None:
    record = logging.LogRecord("caffepy", logging.INFO, "solver.py", 7, "Solving %s", ("x",), None)
    path = write(tmp_path / "log", ClassicFormatter().format(record))

    (read,) = read_lines(path)

    assert read.body == "Solving x\n"
    assert abs(read.time.timestamp() - record.created) < 1e-3


@pytest.mark.parametrize(
    ("lines", "changed", "expected"),
    [
        pytest.param(
            ["0228 23:59:00", "0229 00:01:00", "0301 00:01:00"],
            datetime(2024, 3, 1, 1),
            [
                datetime(2024, 2, 28, 23, 59),
                datetime(2024, 2, 29, 0, 1),
                datetime(2024, 3, 1, 0, 1),
            ],
            id="midnights of a leap year",
        ),
        pytest.param(
            ["1231 23:59:00", "0101 00:01:00"],
            datetime(2025, 1, 1, 0, 1),
            [datetime(2024, 12, 31, 23, 59), datetime(2025, 1, 1, 0, 1)],
            id="new year",
        ),
        pytest.param(
            ["1231 23:59:00", "0101 00:01:00"],
            datetime(2025, 7, 1),
            [datetime(2024, 12, 31, 23, 59), datetime(2025, 1, 1, 0, 1)],
            id="new year, copied later",
        ),
        pytest.param(
            ["0301 00:00:01", "0228 23:59:59"],
            datetime(2025, 3, 1, 1),
            [datetime(2025, 3, 1, 0, 0, 1), datetime(2025, 2, 28, 23, 59, 59)],
            id="two threads, out of order over the end of a month",
        ),
        pytest.param(
            ["20241231 23:59:00", "20250101 00:01:00"],
            datetime(2030, 1, 1),
            [datetime(2024, 12, 31, 23, 59), datetime(2025, 1, 1, 0, 1)],
            id="years told",
        ),
    ],
)
def test_the_year(
    tmp_path: Path, lines: list[str], changed: datetime, expected: list[datetime]
) -> None:
    whole = [f"I{line} 25210 solver.cpp:204] x" for line in lines]

    assert times(write(tmp_path / "log", *whole, changed=changed)) == expected


@pytest.mark.parametrize(
    "prefix",
    ["I1322 13:39:22.38", "I0210 24:00:00.1", "I0200 13:39:22.1", "X0210 13:39:22.3"],
)
def test_what_is_no_prefix(tmp_path: Path, prefix: str) -> None:
    path = write(tmp_path / "log", f"{prefix} 25210 solver.cpp:204] x", CLASSIC)

    assert [line.number for line in read_lines(path)] == [2]


def test_bytes_that_are_no_text_are_read_over(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"\xff\x00\xe9\n" + CLASSIC.encode() + b" \xff\r\n")

    assert read_lines(tmp_path / "log")[0].body == "Iteration 20 \ufffd\n"


def test_a_line_without_an_end_is_known_by_it(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(CLASSIC)

    assert read_lines(tmp_path / "log")[0].body == "Iteration 20"


def test_seconds_count_from_where_the_solver_began(tmp_path: Path) -> None:
    solving = CLASSIC.replace("22.38", "21.38").replace("Iteration 20", "Solving LeNet")
    lines = read_lines(write(tmp_path / "log", CLASSIC, solving, CLASSIC))

    assert start(lines, "log") == lines[1].time


def test_or_from_the_first_line_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = read_lines(write(tmp_path / "log", "", CLASSIC, CLASSIC))

    assert start(lines, "cut.log") == lines[0].time
    assert caplog.messages == ["cut.log: no line says `Solving NAME`; seconds count from line 2"]


@pytest.mark.parametrize("content", ["", "Iteration 20, loss = 3\n"], ids=["empty", "no prefix"])
def test_a_file_that_is_no_log(tmp_path: Path, content: str) -> None:
    (tmp_path / "log").write_text(content)

    with pytest.raises(DataError, match="no log of a training: no line begins like `I1122 "):
        read_lines(tmp_path / "log")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="log: No such file"):
        read_lines(tmp_path / "log")
    with pytest.raises(DataError, match="Is a directory"):
        read_lines(tmp_path)
