"""pycaffe's stopwatch."""

import time

import torch


class Timer:
    """A stopwatch: `start`, `stop`, and then `ms`. It waits for a GPU to finish what it was given."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._seconds = 0.0

    def start(self) -> None:
        """Begin to measure, unless it is under way."""
        if self._since is None:
            self._since = _now()

    def stop(self) -> None:
        """End the measurement that is under way."""
        if self._since is not None:
            self._seconds, self._since = _now() - self._since, None

    @property
    def ms(self) -> float:
        """The milliseconds of the last measurement, which this ends; 0 before the first."""
        self.stop()
        return self._seconds * 1e3


def _now() -> float:
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        torch.cuda.synchronize()
    return time.perf_counter()
