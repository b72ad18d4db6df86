"""What is wrong with a file, gathered so that one run shows all of it."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from caffepy.errors import CaffeError


class Problem(NamedTuple):
    """One thing wrong, as the line "where: text".

    An error stops the run; a warning is for what a file may mean to do, and is shown once.
    """

    severity: Literal["error", "warning"]
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def refuse_errors(problems: Sequence[Problem], error: type[CaffeError]) -> tuple[Problem, ...]:
    """The warnings among the problems; where there are errors, raises `error` with a line each."""
    lines = [str(problem) for problem in problems if problem.severity == "error"]
    if lines:
        raise error("\n".join(lines))
    return tuple(problems)
