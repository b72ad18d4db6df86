"""Where the time of a training goes."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from caffepy.net.net import Net

PASSES = "forward and backward"
UPDATE = "update"


class Profile:
    """The seconds of a training's iterations, by what they went into.

    The solver calls `part` around passes and updates, and `lap` after each iteration. The first
    iteration does not count: it waits for the first batch of all, and fetches memory.
    """

    def __init__(self, net: Net) -> None:
        self.iterations = -1
        self._net = net
        self._reset()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what happens in the `with` as PASSES or UPDATE; a GPU is waited for at its end."""
        begun, waited = time.perf_counter(), self._net.waited
        yield
        if self._net.device.type == "cuda":
            torch.cuda.synchronize(self._net.device)
        waited = self._net.waited - waited
        self._data += waited
        self._parts[name] += time.perf_counter() - begun - waited

    def lap(self) -> None:
        """An iteration is over."""
        self.iterations += 1
        if not self.iterations:
            self._reset()
        self._end = time.perf_counter()

    def _reset(self) -> None:
        self._data = 0.0
        self._parts = {PASSES: 0.0, UPDATE: 0.0}
        self._begun = self._end = time.perf_counter()

    def seconds(self) -> dict[str, float]:
        """The mean seconds of an iteration after the first, by what they went into."""
        total = self._end - self._begun
        sums = {"waiting for data": self._data, **self._parts}
        sums["other (tests, snapshots, log)"] = total - sum(sums.values())
        return {name: seconds / self.iterations for name, seconds in sums.items()}

    def table(self) -> list[str]:
        """Lines of what `seconds` says, in milliseconds and as shares."""
        if self.iterations < 1:
            return ["No profile: the first iteration does not count, and there were no more."]
        parts = self.seconds()
        total = sum(parts.values())
        lines = [f"Mean of {self.iterations} iterations, after the first:"]
        for name, seconds in {**parts, "in all": total}.items():
            lines.append(f"{name:<30}{1000 * seconds:>10.2f} ms{100 * seconds / total:>8.1f} %")
        return lines


def timed(profile: Profile | None, part: str) -> AbstractContextManager[None]:
    """Count what happens in the `with` as a part of an iteration, where there is a profile."""
    return nullcontext() if profile is None else profile.part(part)
