"""Work on many items, begun on every core before its results are asked for."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

WORKERS = os.cpu_count() or 1  # threads: Pillow and numpy compute without Python's lock


def begin_ahead(
    work: Callable[[T], R], items: Iterable[T], depth: int
) -> Generator[tuple[T, Future[R]], None, None]:
    """Every item in order, with its result in the making.

    `depth` items a core are begun ahead of the one that is asked for, so that no more of `items`
    than that is in memory. What is not begun when the generator is closed never is.
    """
    begun: deque[tuple[T, Future[R]]] = deque()
    pool = ThreadPoolExecutor(WORKERS, "ahead")
    try:
        for item in items:
            begun.append((item, pool.submit(work, item)))
            if len(begun) > depth * WORKERS:
                yield begun.popleft()
        while begun:
            yield begun.popleft()
    finally:
        pool.shutdown(cancel_futures=True)
