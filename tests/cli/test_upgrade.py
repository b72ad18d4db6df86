import argparse
import logging
from pathlib import Path

import pytest

from caffepy.cli.upgrade import add_files, report_latest, report_written
from caffepy.graph.problem import Problem

OUT = Path("new.prototxt")


def test_in_and_out() -> None:
    parser = argparse.ArgumentParser(prog="caffepy x")

    add_files(parser, "a b")

    args = parser.parse_args(["old", "new"])
    assert (args.source, args.target) == (Path("old"), Path("new"))
    assert parser.epilog is not None
    assert "caffepy x a b\n" in parser.epilog


def test_what_needs_no_upgrade_is_told(caplog: pytest.LogCaptureFixture) -> None:
    report_latest(Path("old.prototxt"))

    assert caplog.messages == ["File already in latest proto format: old.prototxt"]


def test_what_is_lost_is_told_and_fails(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "caffepy"):
        assert report_written("NetParameter text", OUT, []) == 0
        assert report_written("NetParameter text", OUT, [Problem("warning", "a:1:2", "b")]) == 1

    written = "Wrote upgraded NetParameter text proto to new.prototxt"
    assert caplog.messages == [written, "a:1:2: b", written]
