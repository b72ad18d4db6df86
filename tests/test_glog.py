"""Log lines as readers of Caffe's logs expect them."""

import logging
import re
import threading

import pytest

from caffepy.glog import ClassicFormatter


def record(level: int, body: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("caffepy.x", level, "/a/b/solver.py", 239, body, args, None)


def test_prefix_has_no_year() -> None:
    line = ClassicFormatter().format(record(logging.INFO, "Iteration %d, lr = %s", 4, "0.1"))

    found = re.fullmatch(r"I\d{4} \d\d:\d\d:\d\d\.\d{6} +(\d+) solver\.py:239\] (.*)", line)
    assert found is not None
    assert found[1] == str(threading.get_native_id())
    assert found[2] == "Iteration 4, lr = 0.1"


@pytest.mark.parametrize(
    ("level", "letter"),
    [(logging.INFO, "I"), (logging.WARNING, "W"), (logging.ERROR, "E"), (logging.CRITICAL, "F")],
)
def test_severity_is_one_letter(level: int, letter: str) -> None:
    assert ClassicFormatter().format(record(level, "x"))[0] == letter


def test_only_the_first_line_of_a_body_has_the_prefix() -> None:
    lines = ClassicFormatter().format(record(logging.INFO, "parameters:\nbase_lr: 1")).splitlines()

    assert lines[0].endswith("] parameters:")
    assert lines[1] == "base_lr: 1"


def test_the_microseconds_are_of_the_record() -> None:
    at = record(logging.INFO, "x")
    at.created = 1_700_000_000.25

    assert ".250000 " in ClassicFormatter().format(at)
