"""What the log of a training tells: outputs, losses and learning rates, by iteration and time."""

import logging
import math
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from caffepy.cli.log_lines import Line, read_lines, start
from caffepy.errors import DataError

log = logging.getLogger(__name__)

# Numbers end before a blank: one at the end of a file without a newline may lack digits.
NUMBER = r"([-+]?(?:nan|inf|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?))(?:\(ind\))?(?=[\s,])"
ITERATION = re.compile(r"Iteration (\d+)[\s,]")
TESTING = re.compile(r"Testing net(?: \(#(\d+)\))?")
LOSS = re.compile(rf"\bloss = {NUMBER}")
RATE = re.compile(rf"\blr = {NUMBER}")
OUTPUT = re.compile(rf"(Train|Test) net output #(\d+): (.+?) = {NUMBER}( \(\*)?")
SCORE = re.compile(rf"(Test) (score )#(\d+): {NUMBER}")  # Caffe until 2014
ANY_OUTPUT = re.compile(r"(?:Train|Test) net output #|Test score #")


class Output(NamedTuple):
    """One number of an output: of the net of that number, of the blob's elements that number."""

    net: int
    name: str
    element: int


class Point(NamedTuple):
    """A number that was logged; seconds since the solver began."""

    iteration: int
    seconds: float
    value: float


@dataclass
class Row:
    """The outputs of a display, or of a test of all test nets."""

    iteration: int
    time: datetime
    rate: float
    values: dict[Output, float] = field(default_factory=dict)
    seen: set[tuple[int, int]] = field(default_factory=set)  # net, number of the output


@dataclass
class Table:
    """The rows of a phase, in the log's order."""

    rows: list[Row] = field(default_factory=list)
    losses: set[Output] = field(default_factory=set)  # those with a loss weight

    def add(self, new: Row, net: int, index: int, name: str, value: float) -> Output:
        """Put a number into the last row, or into `new` where that is another iteration's."""
        row = self.rows[-1] if self.rows else None
        if row is None or row.iteration != new.iteration or (net, index) in row.seen:
            row = new
            self.rows.append(row)
        element = sum((each.net, each.name) == (net, name) for each in row.values)
        output = Output(net, name, element)
        row.seen.add((net, index))
        row.values[output] = value
        return output

    def columns(self) -> dict[Output, str]:
        """The outputs in the order they were logged, each with a name of its own.

        That is the blob's; of several elements `name[0]`, `name[1]`, …; and `name (#1)` where an
        earlier test net has an output of that name.
        """
        outputs = dict.fromkeys(output for row in self.rows for output in row.values)
        several = {(output.net, output.name) for output in outputs if output.element}
        first = {output.name: output.net for output in sorted(outputs, reverse=True)}
        names = {}
        for output in outputs:
            net, name, element = output
            suffix = f" (#{net})" if net != first[name] else ""
            names[output] = name + (f"[{element}]" if (net, name) in several else "") + suffix
        return names


@dataclass
class TrainingLog:
    """All that a log tells.

    train, test: the outputs. losses: of the `Iteration N, loss = L` lines. rates: of the `lr` lines.
    """

    path: Path
    start: datetime
    train: Table = field(default_factory=Table)
    test: Table = field(default_factory=Table)
    losses: list[Point] = field(default_factory=list)
    rates: list[Point] = field(default_factory=list)

    def seconds(self, time: datetime) -> float:
        """Since the solver began."""
        return (time - self.start).total_seconds()


class Reader:
    """Reads line after line; an output belongs to the iteration and test net named before it."""

    def __init__(self, into: TrainingLog) -> None:
        self.into = into
        self.iteration: int | None = None
        self.net = 0
        self.cut: list[int] = []  # numbers of lines that are cut short

    def read(self, line: Line) -> None:
        """Take what one line tells."""
        if found := ITERATION.search(line.body):
            self.iteration = int(found[1])
            self._of_iteration(line, self.iteration)
        elif self.iteration is not None and ANY_OUTPUT.search(line.body):
            self._output(line, self.iteration)

    def _of_iteration(self, line: Line, iteration: int) -> None:
        if found := TESTING.search(line.body):
            self.net = int(found[1] or 0)
        seconds = self.into.seconds(line.time)
        if found := LOSS.search(line.body):
            self.into.losses.append(Point(iteration, seconds, float(found[1])))
        if found := RATE.search(line.body):
            self.into.rates.append(Point(iteration, seconds, float(found[1])))
            # The rate of an iteration is logged after what the nets gave in it.
            for row in [*self.into.train.rows[-1:], *self.into.test.rows[-1:]]:
                if row.iteration == iteration:
                    row.rate = float(found[1])

    def _output(self, line: Line, iteration: int) -> None:
        if found := OUTPUT.search(line.body):
            phase, index, name, value, weight = found.groups()
        elif found := SCORE.search(line.body):
            phase, name, index, value = found.groups()
            name, weight = f"{name}#{index}", None
        else:
            self.cut.append(line.number)
            return
        table, net = (self.into.train, 0) if phase == "Train" else (self.into.test, self.net)
        rate = self.into.rates[-1].value if self.into.rates else math.nan
        output = table.add(Row(iteration, line.time, rate), net, int(index), name, float(value))
        if weight:
            table.losses.add(output)


def read_training_log(path: str | Path) -> TrainingLog:
    """Read a log that Caffe or caffepy wrote, of one run or of several, one after the other.

    Rows have the learning rate of their iteration, as far as it was logged: else the last one that
    was, and the first ones of a log the first one. Lines that are cut short are left out, and
    named in a warning.

    Raises:
        DataError: there is no such file, or it tells of no iteration.
    """
    lines = read_lines(path)
    into = TrainingLog(Path(path), start(lines, path))
    reader = Reader(into)
    for line in lines:
        reader.read(line)
    if reader.iteration is None:
        raise DataError(f"{path}: no log of a training: no line says `Iteration N`")
    if reader.cut:
        numbers = ", ".join(map(str, reader.cut))
        log.warning("%s: lines that are cut short are left out: %s", path, numbers)
    for row in [*into.train.rows, *into.test.rows]:
        if math.isnan(row.rate) and into.rates:
            row.rate = into.rates[0].value
    return into
