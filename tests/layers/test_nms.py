import math

import pytest
import torch
from torch import Tensor

from caffepy.layers.nms import ranks, suppress

# Bars in one row: of length 10, from these places on. Two that are d apart overlap by
# (10 - d) / (10 + d): 1 apart by 0.82, 2 by 0.67, 3 by 0.54, 4 by 0.43, 5 by 0.33.
Bars = list[float]


def bars(*places: float) -> Tensor:
    return torch.tensor([[place, 0, place + 10, 1] for place in places], dtype=torch.double)


def overlap(a: list[float], b: list[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0
    both = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width * height / (both - width * height)


def greedy(boxes: list[list[float]], limit: float, eta: float) -> list[bool]:
    """SSD's loop over the boxes of one class, from the best one on."""
    kept: list[list[float]] = []
    decisions = []
    for box in boxes:
        keep = all(overlap(box, other) <= limit for other in kept)
        decisions.append(keep)
        if keep:
            kept.append(box)
            if eta < 1 and limit > 0.5:
                limit *= eta
    return decisions


def keeps(boxes: Tensor, limit: float, eta: float = 1) -> list[bool]:
    """Of one class."""
    group = torch.zeros(len(boxes), dtype=torch.int64)
    kept: list[bool] = suppress(boxes, group, torch.arange(len(boxes)), limit, eta).tolist()
    return kept


@pytest.mark.parametrize(
    ("places", "limit", "eta", "kept"),
    [
        pytest.param([0, 1, 20], 0.5, 1, [True, False, True], id="the second is too near"),
        pytest.param([0, 3, 6], 0.5, 1, [True, False, True], id="what is dropped drops nothing"),
        pytest.param([0, 3, 1], 0.6, 1, [True, True, False], id="a third, near to both"),
        pytest.param([0, 5], 1 / 3, 1, [True, True], id="as much as the limit is not too much"),
        pytest.param([0, 0, 0], 1, 1, [True, True, True], id="limit 1 keeps all"),
        pytest.param([0, 9.9, 20], 0, 1, [True, False, True], id="limit 0 keeps what is apart"),
        # The limit is 0.7, and after the first box is kept 0.56: too little for 0.67.
        pytest.param([0, 2, 30], 0.7, 0.8, [True, False, True], id="eta lowers the limit"),
        # 0.7, 0.56, 0.448, and no lower: 0.43 is still allowed.
        pytest.param([0, 30, 60, 90, 4], 0.7, 0.8, [True] * 5, id="eta stops below a half"),
        pytest.param([0, 4, 30, 34], 0.5, 0.1, [True] * 4, id="eta leaves a limit of a half"),
    ],
)
def test_boxes_worked_by_hand(places: Bars, limit: float, eta: float, kept: list[bool]) -> None:
    assert keeps(bars(*places), limit, eta) == kept
    assert greedy(bars(*places).tolist(), limit, eta) == kept


@pytest.mark.parametrize("eta", [1, 0.95, 0.5])
@pytest.mark.parametrize("limit", [0.1, 0.45, 0.6, 0.7])
def test_random_boxes_of_several_groups_are_kept_as_one_by_one(limit: float, eta: float) -> None:
    generator = torch.Generator().manual_seed(0)
    counts = [40, 1, 25, 60]
    corners = torch.rand(sum(counts), 2, dtype=torch.double, generator=generator)
    sides = torch.rand(sum(counts), 2, dtype=torch.double, generator=generator) / 2
    boxes = torch.cat((corners, corners + sides), 1)
    expected = [
        decision
        for part in torch.split(boxes, counts)
        for decision in greedy(part.tolist(), limit, eta)
    ]
    group = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    rank = torch.cat([torch.arange(count) for count in counts])
    shuffled = torch.randperm(len(boxes), generator=generator)

    kept = suppress(boxes[shuffled], group[shuffled], rank[shuffled], limit, eta)

    assert kept.tolist() == [expected[index] for index in shuffled.tolist()]
    assert 0 < sum(expected) < len(expected)


def test_no_boxes() -> None:
    nothing = torch.zeros(0, dtype=torch.int64)

    assert suppress(torch.zeros(0, 4), nothing, nothing, 0.5, 1).shape == (0,)
    assert ranks(torch.zeros(0), nothing).shape == (0,)


def test_a_box_that_is_nan_overlaps_nothing() -> None:
    boxes = bars(0, 0, 1, 20)
    boxes[0] = math.nan

    assert keeps(boxes, 0.5) == [True, True, False, True]


def test_ranks_are_by_group_and_the_first_of_equal_scores_is_better() -> None:
    scores = torch.tensor([0.5, 0.9, 0.5, 0.7, 0.5, 0.1])
    group = torch.tensor([2, 0, 2, 0, 0, 2])

    assert ranks(scores, group).tolist() == [0, 0, 1, 1, 2, 2]


def test_many_equal_scores_stay_in_order() -> None:
    assert ranks(torch.zeros(500), torch.zeros(500, dtype=torch.int64)).tolist() == [*range(500)]
