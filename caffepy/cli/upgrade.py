"""What the verbs that upgrade files have in common: their arguments, and what they say at the end."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from caffepy.graph.problem import Problem

log = logging.getLogger(__name__)


def add_files(parser: argparse.ArgumentParser, example: str) -> None:
    """Declare IN and OUT."""
    parser.epilog = f"""\
example:
  {parser.prog} {example}

OUT may be the same file. What has no place in today's format is left out and named, and the exit
code is 1.
"""
    parser.add_argument("source", metavar="IN", type=Path, help="the file to read")
    parser.add_argument("target", metavar="OUT", type=Path, help="the file to write")


def report_latest(source: Path) -> None:
    """Say that there was nothing to upgrade."""
    log.warning("File already in latest proto format: %s", source)


def report_written(kind: str, target: Path, problems: Sequence[Problem]) -> int:
    """Say what got lost on the way and what was written; the exit code."""
    for problem in problems:
        log.error("%s", problem)
    log.info("Wrote upgraded %s proto to %s", kind, target)
    return 1 if problems else 0
