"""Work that is begun before its results are asked for."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from caffepy.errors import DataError

T = TypeVar("T")
R = TypeVar("R")

MOST = 16  # more threads than that wait for Python's lock, and batches fill the memory
WORKERS = min(os.cpu_count() or 1, MOST)  # Pillow and numpy compute without that lock


def begin_ahead(
    pool: Executor, work: Callable[[T], R], items: Iterable[T], depth: int
) -> Generator[tuple[T, Future[R]], None, None]:
    """Every item in order, with its result in the making.

    `depth` items for each of WORKERS are begun ahead of the one that is asked for, so that no more
    of `items` than that is in memory. What is not begun when the generator is closed never is.
    """
    begun: deque[tuple[T, Future[R]]] = deque()
    try:
        for item in items:
            begun.append((item, pool.submit(work, item)))
            if len(begun) > depth * WORKERS:
                yield begun.popleft()
        while begun:
            yield begun.popleft()
    finally:
        for _, made in begun:
            made.cancel()


class Ahead(Generic[T]):
    """What an endless iterator gives, `depth` items of it made in advance, in order.

    One thread makes them, begun by the first `read`; with a depth of 0 there is none, and items are
    made when they are asked for. What goes wrong on the way is raised by `read`, again and again.
    The thread ends after what it has begun when this object is no more, or the program ends: the
    executor sees to that without a lock. To shut it down from a finalizer could wait forever, as
    garbage is collected in any thread, also in one that is just handing over work.
    """

    def __init__(self, items: Iterator[T], depth: int) -> None:
        self._items = items
        self._depth = depth
        self._begun: deque[Future[T]] = deque()
        self._thread = ThreadPoolExecutor(1, "reader")

    def read(self) -> T:
        """The next item, waited for where it is not ready."""
        while len(self._begun) < max(self._depth, 1):
            self._begin()
        item = self._begun[0].result()
        self._begun.popleft()
        if self._depth:
            self._begin()
        return item

    def _begin(self) -> None:
        if self._depth:
            self._begun.append(self._thread.submit(next, self._items))
            return
        made: Future[T] = Future()
        try:
            made.set_result(next(self._items))
        except DataError as error:
            made.set_exception(error)
        self._begun.append(made)
