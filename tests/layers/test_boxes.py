import math

import pytest
import torch

from caffepy.layers.boxes import areas, decode, overlaps
from caffepy.proto import PriorBoxParameter

PRIOR = torch.tensor([[0.2, 0.1, 0.6, 0.9]])  # 0.4 wide, 0.8 high, around (0.4, 0.5)


@pytest.mark.parametrize(
    ("code_type", "code", "box"),
    [
        pytest.param(
            PriorBoxParameter.CORNER, [0.1, -0.1, 0.2, 0.3], [0.3, 0, 0.8, 1.2], id="CORNER"
        ),
        pytest.param(
            PriorBoxParameter.CORNER_SIZE,
            [0.5, 0.25, -0.5, 0.5],
            [0.4, 0.3, 0.4, 1.3],
            id="CORNER_SIZE",
        ),
        pytest.param(
            PriorBoxParameter.CENTER_SIZE,
            [0.5, -0.25, math.log(2), math.log(0.5)],
            [0.2, 0.1, 1.0, 0.5],  # 0.8 wide, 0.4 high, around (0.6, 0.3)
            id="CENTER_SIZE",
        ),
    ],
)
def test_codes_stand_for_boxes(
    code_type: PriorBoxParameter.CodeType, code: list[float], box: list[float]
) -> None:
    nothing = [0.0] * 4

    boxes = decode(torch.tensor([[code], [nothing]]), PRIOR, code_type)

    torch.testing.assert_close(boxes[0], torch.tensor([box]))
    torch.testing.assert_close(boxes[1], PRIOR)


def test_areas_of_boxes_that_end_before_they_begin_are_0() -> None:
    boxes = torch.tensor([[0.0, 1, 2, 4], [2, 1, 0, 4], [2, 4, 0, 1], [1, 1, 1, 5]])

    assert areas(boxes).tolist() == [6, 0, 0, 0]


@pytest.mark.parametrize(
    ("a", "b", "overlap"),
    [
        pytest.param([0, 0, 2, 2], [0, 0, 2, 2], 1, id="the same"),
        pytest.param([0, 0, 2, 2], [1, 1, 3, 3], 1 / 7, id="a corner"),
        pytest.param([0, 0, 4, 4], [1, 1, 2, 3], 2 / 16, id="one inside the other"),
        pytest.param([0, 0, 2, 2], [2, 0, 4, 2], 0, id="a common edge"),
        pytest.param([0, 0, 1, 1], [2, 3, 4, 5], 0, id="apart"),
        pytest.param([0, 0, 2, 2], [2, 2, 0, 0], 0, id="one ends before it begins"),
        pytest.param([1, 1, 1, 1], [1, 1, 1, 1], 0, id="points"),
    ],
)
def test_overlap_is_what_is_common_over_what_is_covered(
    a: list[float], b: list[float], overlap: float
) -> None:
    first, second = torch.tensor([a, b], dtype=torch.double)

    assert overlaps(first, second).item() == pytest.approx(overlap)
    assert overlaps(second, first).item() == pytest.approx(overlap)


def test_overlaps_broadcast() -> None:
    boxes = torch.tensor([[0.0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 6, 6]])

    assert overlaps(boxes[:2, None], boxes).shape == (2, 3)
