from itertools import islice

import pytest

from caffepy.data.order import Order


def places(count: int, seed: int | None, total: int, start: int = 0, step: int = 1) -> list[int]:
    return list(islice(Order(count, seed).places(start, step), total))


def test_without_a_seed_the_order_is_the_collections() -> None:
    assert places(3, None, 7) == [0, 1, 2, 0, 1, 2, 0]
    assert places(5, None, 4, start=8, step=3) == [3, 1, 4, 2]


def test_each_epoch_has_all_items_in_an_order_of_its_own() -> None:
    drawn = places(20, 7, 60)

    epochs = [drawn[:20], drawn[20:40], drawn[40:]]
    assert [sorted(epoch) for epoch in epochs] == [list(range(20))] * 3
    assert len({tuple(epoch) for epoch in epochs}) == 3


@pytest.mark.parametrize(("start", "step"), [(7, 1), (0, 3), (25, 4)])
def test_an_item_is_the_same_whenever_it_is_asked_for(start: int, step: int) -> None:
    assert places(9, -3, 10, start, step) == places(9, -3, 100)[start::step][:10]


def test_another_seed_is_another_order() -> None:
    assert places(20, 1, 20) != places(20, 2, 20)
