"""The lines of a log, Caffe's or ours, with the moments at which they were written."""

import logging
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from caffepy.errors import DataError

log = logging.getLogger(__name__)

# The last prefix of a line counts: where a line was cut off by a kill, the next run goes on in it.
PREFIX = re.compile(
    r".*[IWEF](?P<year>\d{4})?(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01]) "
    r"(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d):(?P<second>[0-5]\d(?:\.\d+)?) +\d+ "
    r"[^\s:]+:\d+\] ?(?P<body>.*\n?)"
)


class Line(NamedTuple):
    """A line that has a prefix: its number in the file from 1, its moment, and what it says.

    The body ends with the line's newline, if the line has one: else it may be cut short.
    """

    number: int
    time: datetime
    body: str


class Clock:
    """Moments from prefixes of which older ones tell no year.

    The first line is taken to be no later than `latest`, when the file was last changed; each other
    is in the year that brings it nearest to the line before, so that a log may go on in a new year.
    """

    def __init__(self, latest: datetime) -> None:
        self.latest = latest
        self.last: datetime | None = None

    def read(self, prefix: re.Match[str]) -> datetime:
        """The moment that a prefix tells."""
        self.last = min(self._candidates(prefix), key=self._distance)
        return self.last

    def _candidates(self, prefix: re.Match[str]) -> Iterator[datetime]:
        near = self.latest if self.last is None else self.last
        told = prefix["year"]
        for year in [int(told)] if told else [near.year - 1, near.year, near.year + 1]:
            # By addition, since a year that is guessed may have no 29th of February.
            yield datetime(year, int(prefix["month"]), 1) + timedelta(
                days=int(prefix["day"]) - 1,
                hours=int(prefix["hour"]),
                minutes=int(prefix["minute"]),
                seconds=float(prefix["second"]),
            )

    def _distance(self, time: datetime) -> timedelta:
        if self.last is not None:
            return abs(time - self.last)
        past = self.latest - time
        return past if past >= timedelta(days=-1) else timedelta.max


def read_lines(path: str | Path) -> list[Line]:
    """The lines of a log that have a prefix, with or without a year in it; others are left out.

    Raises:
        DataError: no file, or no line of it has one.
    """
    path = Path(path)
    try:
        clock = Clock(datetime.fromtimestamp(path.stat().st_mtime))
        with path.open(encoding="utf-8", errors="replace") as file:
            found = [(number, PREFIX.match(line)) for number, line in enumerate(file, 1)]
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    lines = [Line(number, clock.read(match), match["body"]) for number, match in found if match]
    if not lines:
        raise DataError(
            f"{path}: no log of a training: no line begins like "
            "`I1122 13:01:49.825181  1345 solver.cpp:239] `"
        )
    return lines


def start(lines: list[Line], path: str | Path) -> datetime:
    """When the solver began, from which seconds count; the first line where that was not logged."""
    for line in lines:
        if line.body.startswith("Solving"):
            return line.time
    log.warning(
        "%s: no line says `Solving NAME`; seconds count from line %d", path, lines[0].number
    )
    return lines[0].time
