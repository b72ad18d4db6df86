import numpy as np
import pytest

from caffepy.pycaffe.batches import batches, joined


def test_the_last_batch_is_filled_up_with_zeros() -> None:
    x, y = np.arange(1, 11).reshape(5, 2), [1.5, 2.5, 3.5, 4.5, 5.5]

    found = list(batches({"x": x, "y": y}, 3))

    assert [batch["x"].tolist() for batch in found] == [
        [[1, 2], [3, 4], [5, 6]],
        [[7, 8], [9, 10], [0, 0]],
    ]
    assert [batch["y"].tolist() for batch in found] == [[1.5, 2.5, 3.5], [4.5, 5.5, 0]]


@pytest.mark.parametrize("blobs", [{}, {"x": []}], ids=["no blob", "no item"])
def test_nothing_gives_no_batch(blobs: dict[str, list[float]]) -> None:
    assert list(batches(blobs, 3)) == []


def test_blobs_have_as_many_items_each() -> None:
    with pytest.raises(ValueError, match=r"given are \{'x': 2, 'y': 3\}"):
        list(batches({"x": [1, 2], "y": [1, 2, 3]}, 2))


def test_what_came_of_the_filling_is_left_out() -> None:
    scores = [np.full((3, 2), 1, np.float32), np.full((3, 2), 2, np.float32)]
    losses = [np.array(5, np.float32), np.array(6, np.float32)]

    whole = joined({"scores": scores, "loss": losses}, 4)

    assert whole["scores"].tolist() == [[1, 1]] * 3 + [[2, 2]]
    assert whole["loss"].tolist() == [5, 6]
