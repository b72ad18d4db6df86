"""Which of many boxes with scores to keep: the best, and of those that overlap the better ones."""

import torch
from torch import Tensor

from caffepy.layers.boxes import overlaps

STEADY = 0.5  # a limit at or below this is lowered no more


def ranks(scores: Tensor, group: Tensor) -> Tensor:
    """The place of each score among those of its group, the best being 0; int64 (E,).

    scores: (E,), group: int64 (E,). Of equal scores the first is the better one.
    """
    order = scores.argsort(descending=True, stable=True)
    order = order[group[order].argsort(stable=True)]
    counts = group.bincount()
    starts = counts.cumsum(0) - counts
    place = torch.arange(len(order), device=order.device) - starts[group[order]]
    return torch.empty_like(place).scatter(0, order, place)


def suppress(boxes: Tensor, group: Tensor, rank: Tensor, limit: float, eta: float) -> Tensor:
    """Which boxes to keep by greedy non-maximum suppression, bool (E,).

    In each group, from the best box on, a box is kept unless it overlaps one that was kept by more
    than the limit; each one kept multiplies its group's limit with `eta`, while that is above 0.5.

    boxes: (E, 4); group: int64 (E,), from 0; rank: int64 (E,), of each group from 0 without a gap.
    All groups go on together, by one box kept a step.
    Source: ApplyNMSFast in caffe (weiliu89, branch ssd)/src/caffe/util/bbox_util.cpp
    """
    if len(boxes) == 0:
        return torch.zeros_like(group, dtype=torch.bool)
    table = boxes.new_zeros(int(group.max()) + 1, int(rank.max()) + 1, 4)
    table[group, rank] = boxes
    waiting = torch.zeros(table.shape[:2], dtype=torch.bool, device=boxes.device)
    waiting[group, rank] = True
    kept = torch.zeros_like(waiting)
    reached = table.new_zeros(waiting.shape)
    limits = table.new_full((len(table), 1), limit)
    place = torch.arange(table.shape[1], device=boxes.device)
    while bool(waiting.any()):
        best = waiting.to(torch.uint8).argmax(1, keepdim=True)
        takes = waiting & (place == best)
        kept |= takes
        chosen = table.gather(1, best[:, :, None].expand(-1, -1, 4))
        reached = torch.fmax(reached, overlaps(chosen, table))  # a NaN is no overlap
        lower = takes.any(1, keepdim=True) & (limits > STEADY)
        limits = torch.where(lower, limits * eta, limits)
        waiting &= (place > best) & (reached <= limits)
    return kept[group, rank]
