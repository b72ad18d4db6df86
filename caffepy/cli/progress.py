"""A bar below the log while something long runs: how far, how fast, how long still."""

import errno
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, cast

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from caffepy.solver.solver import Solver


class Speed(ProgressColumn):
    """Iterations a second, once some were made."""

    def render(self, task: Task) -> Text:
        """The rate over the last seconds."""
        return Text(f"{task.speed:.4g} iter/s" if task.speed else "", style="cyan")


class Terminal:
    """A terminal to write to for as long as it is there: a training outlives the one it began on."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.encoding = stream.encoding
        self.isatty = stream.isatty
        self.fileno = stream.fileno

    def write(self, text: str) -> int:
        """Write, or once the terminal was closed do nothing."""
        with _unless_closed():
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is held back."""
        with _unless_closed():
            self.stream.flush()


@contextmanager
def _unless_closed() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.EIO:  # which is what writing to a terminal that is gone gives
            raise


def on_stderr() -> Console:
    """A console on stderr."""
    return Console(file=cast("TextIO", Terminal(sys.stderr)))


class Above:
    """A stream for a log handler whose lines stand above the bar."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def write(self, text: str) -> int:
        """Print as it is: no markup, no colours, no line broken."""
        self.console.print(Text(text), end="", soft_wrap=True)
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


@contextmanager
def progress(solver: "Solver", console: Console | None = None) -> Iterator[None]:
    """Show a bar on stderr while the solver runs, where stderr is a terminal.

    What caffepy logs meanwhile goes through the same console, above the bar.
    """
    console = on_stderr() if console is None else console
    if not console.is_terminal:
        yield
        return
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Speed(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[numbers]}"),
        console=console,
        transient=True,
    )
    task = bar.add_task(
        solver.net.name,
        total=solver.param.max_iter,
        completed=solver.iter,
        numbers="",
    )

    def show(iteration: int, _last: int, loss: float, rate: float) -> None:
        bar.update(task, completed=iteration, numbers=f"loss {loss:.4g}  lr {rate:.4g}")

    with bar, lines_above(console):
        solver.progress = show
        try:
            yield
        finally:
            solver.progress = None


@contextmanager
def counted(what: str, console: Console | None = None) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr, where that is a terminal, of how many of how many `what` are done.

    It moves when the function that the `with` gives is told so. What caffepy logs stands above it.
    """
    console = on_stderr() if console is None else console
    if not console.is_terminal:
        yield lambda _done, _total: None
        return
    bar = Progress(
        BarColumn(), MofNCompleteColumn(), TextColumn(what), TimeRemainingColumn(), console=console
    )
    task = bar.add_task("")
    with bar, lines_above(console):
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def lines_above(console: Console) -> Iterator[None]:
    """Let the log handlers of caffepy write through a console."""
    handlers = [
        handler
        for handler in logging.getLogger("caffepy").handlers
        if isinstance(handler, logging.StreamHandler)
    ]
    before = [handler.setStream(Above(console)) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in zip(handlers, before, strict=True):
            if stream is not None:
                handler.setStream(stream)
