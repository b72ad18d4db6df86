"""What can be asked of a training while it runs."""

from collections import deque
from enum import Enum


class Action(Enum):
    """What can be asked of a running solver, by a signal for example."""

    SNAPSHOT = "snapshot"
    STOP = "stop"


class Requests:
    """What was asked for and not answered yet."""

    def __init__(self) -> None:
        self._waiting: deque[Action] = deque()

    def add(self, action: Action) -> None:
        """Ask for something; safe in a signal's handler."""
        self._waiting.append(action)

    def take(self) -> set[Action]:
        """What has been asked for since the last call."""
        return {self._waiting.popleft() for _ in range(len(self._waiting))}
