"""Boxes, (..., 4): xmin, ymin, xmax, ymax, in any unit."""

import torch
from torch import Tensor

from caffepy.proto import PriorBoxParameter


def decode(code: Tensor, priors: Tensor, code_type: PriorBoxParameter.CodeType) -> Tensor:
    """The boxes that codes stand for, (..., P, 4), each seen from its prior, (P, 4).

    CORNER: the prior plus the code. CORNER_SIZE: the same, the code being in sides of the prior.
    CENTER_SIZE: the centre moves by the first two, in sides of the prior, and the sides grow by
    e to the power of the last two.
    Source: DecodeBBox in caffe (weiliu89, branch ssd)/src/caffe/util/bbox_util.cpp
    """
    if code_type == PriorBoxParameter.CORNER:
        return priors + code
    low, high = torch.split(priors, 2, -1)
    sides = high - low
    if code_type == PriorBoxParameter.CORNER_SIZE:
        return priors + code * torch.cat((sides, sides), -1)
    moved, grown = torch.split(code, 2, -1)
    centre = moved * sides + (low + high) / 2
    half = grown.exp() * sides / 2
    return torch.cat((centre - half, centre + half), -1)


def areas(boxes: Tensor) -> Tensor:
    """The area of each box, (...); 0 for one that ends before it begins."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)


def overlaps(boxes: Tensor, others: Tensor) -> Tensor:
    """What boxes have in common over what they cover together; 0 where they do not meet.

    Both (..., 4), broadcast against each other; the result has no last axis.
    """
    low = torch.maximum(boxes[..., :2], others[..., :2])
    high = torch.minimum(boxes[..., 2:], others[..., 2:])
    common = (high - low).clamp(min=0).prod(-1)
    together = areas(boxes) + areas(others) - common
    return common / together.masked_fill(common == 0, 1)
