import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count

import pytest

from caffepy.data.ahead import WORKERS, Ahead, begin_ahead
from caffepy.errors import DataError


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(WORKERS) as threads:
        yield threads


def test_results_come_in_the_order_of_the_items(pool: ThreadPoolExecutor) -> None:
    begun = begin_ahead(pool, lambda x: x * x, range(50), 2)

    assert [(item, made.result()) for item, made in begun] == [(x, x * x) for x in range(50)]


def test_no_more_items_are_taken_than_are_to_be_begun_ahead(pool: ThreadPoolExecutor) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(1000):
            taken += 1
            yield item

    with closing(begin_ahead(pool, str, items(), 3)) as begun:
        next(begun)

        assert taken == 3 * WORKERS + 1


def test_closing_it_leaves_undone_what_was_not_begun(pool: ThreadPoolExecutor) -> None:
    gate, done = threading.Event(), []

    def work(item: int) -> None:
        gate.wait()
        done.append(item)

    begun = begin_ahead(pool, work, range(1000), 100)
    next(begun)
    begun.close()
    gate.set()
    pool.shutdown()

    assert len(done) <= WORKERS


def test_an_error_is_raised_where_its_result_is_asked_for(pool: ThreadPoolExecutor) -> None:
    begun = begin_ahead(pool, lambda x: 6 // x, [1, 0, 2], 1)

    assert next(begun)[1].result() == 6
    with pytest.raises(ZeroDivisionError):
        next(begun)[1].result()
    assert next(begun)[1].result() == 3


def test_items_are_made_in_advance_in_order_once_the_first_is_read() -> None:
    made = []

    def items() -> Iterator[int]:
        for item in count():
            made.append(item)
            yield item

    ahead = Ahead(items(), 3)
    assert made == []

    assert [ahead.read() for _ in range(4)] == [0, 1, 2, 3]

    ahead._begun[-1].result()
    assert made == list(range(7))


def test_what_goes_wrong_is_raised_in_its_place_again_and_again() -> None:
    ahead = Ahead((6 // number for number in (1, 0, 2)), 2)

    assert ahead.read() == 6
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            ahead.read()


def test_without_depth_items_are_made_when_they_are_asked_for() -> None:
    made = []

    def items() -> Iterator[int]:
        for item in range(2):
            made.append(threading.current_thread())
            yield item
        raise DataError("no more")

    ahead = Ahead(items(), 0)

    assert [ahead.read(), len(made), ahead.read(), len(made)] == [0, 1, 1, 2]
    assert set(made) == {threading.current_thread()}
    for _ in range(2):
        with pytest.raises(DataError, match="no more"):
            ahead.read()


def test_the_thread_ends_with_the_object() -> None:
    before = set(threading.enumerate())
    ahead = Ahead(count(), 2)
    ahead.read()
    (thread,) = set(threading.enumerate()) - before

    del ahead

    thread.join(timeout=5)
    assert not thread.is_alive()


def test_is_let_go_while_its_executor_is_locked() -> None:
    """As when garbage is collected by a thread that is handing over work."""
    held: list[Ahead[int]] = [Ahead(count(), 2)]
    held[0].read()
    lock = held[0]._thread._shutdown_lock

    with lock:
        dropping = threading.Thread(target=held.clear, daemon=True)
        dropping.start()
        dropping.join(10)
        assert not dropping.is_alive()
