import math

import pytest
import torch

from caffepy.layers.regions import bins_within, read_regions, round_away, step_of


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_halves_are_rounded_away_from_zero(dtype: torch.dtype) -> None:
    below = math.nextafter(0.5, 0) if dtype == torch.float64 else 0.49999997
    x = torch.tensor([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, below, -below, 3, 2.4, 8388609], dtype=dtype)

    assert round_away(x).tolist() == [1, 2, 3, -1, -2, -3, 0, 0, 3, 2, 8388609]


def test_regions_are_taken_apart() -> None:
    regions = read_regions(torch.tensor([[1.0, 2, 3, 4, 5], [0, 6, 7, 8, 9]]), 2)

    assert regions.image.tolist() == [1, 0]
    assert regions.known.tolist() == [True, True]
    assert regions.columns.tolist() == [[2, 6], [4, 8]]
    assert regions.rows.tolist() == [[3, 7], [5, 9]]


def test_fractions_of_an_images_index_are_cut_off() -> None:
    assert read_regions(torch.tensor([[1.9, 0, 0, 1, 1]]), 2).image.tolist() == [1]


@pytest.mark.parametrize("image", [2, -1, math.nan, math.inf])
def test_a_region_of_no_image_is_all_0(image: float) -> None:
    regions = read_regions(torch.tensor([[image, 2, 3, 4, 5]]), 2)

    assert not regions.known
    assert regions.image.tolist() == [0]
    assert not torch.stack((regions.columns, regions.rows)).any()


def test_numbers_of_few_bits_are_computed_with_in_float32() -> None:
    assert read_regions(torch.zeros(3, 5).bfloat16(), 1).rows.dtype == torch.float32
    assert read_regions(torch.zeros(3, 5).double(), 1).rows.dtype == torch.float64


def test_a_side_is_cut_into_equal_steps() -> None:
    step, place = step_of(torch.tensor([7.0, 3.0]), 2)

    assert step.tolist() == [[3.5], [1.5]]
    assert place.tolist() == [0, 1]


def test_bins_are_cut_off_at_the_plane_and_those_outside_are_empty() -> None:
    start = torch.tensor([[-3.0, 0, 4, 9, -1e30, 5]])
    stop = torch.tensor([[-1.0, 3, 8, 12, 1e30, 2]])

    bins = bins_within(start, stop, 6)

    assert bins.start.tolist() == [[0, 0, 4, 6, 0, 5]]
    assert bins.stop.tolist() == [[0, 3, 6, 6, 6, 5]]
    assert bins.counts.tolist() == [[0, 3, 2, 0, 6, 0]]
