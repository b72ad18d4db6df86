import colorsys
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from numpy.typing import NDArray
from torch import Tensor

from caffepy.data.distort import Colours, Distortion, distort
from caffepy.errors import LayerError
from caffepy.proto import TransformationParameter

NUMBERS = np.arange(20_000, dtype=np.uint64)
SSD = """
    brightness_prob: 0.5 brightness_delta: 32 contrast_prob: 0.4 contrast_lower: 0.5
    contrast_upper: 1.5 hue_prob: 0.3 hue_delta: 18 saturation_prob: 0.2 saturation_lower: 0.25
    saturation_upper: 1.75 random_order_prob: 0.6
"""


def make(settings: str) -> Distortion:
    param = text_format.Parse(f"distort_param {{ {settings} }}", TransformationParameter())
    return Distortion(param, "layer 'data' (Data)")


def colours(count: int, **given: Sequence[float] | list[list[int]]) -> Colours:
    """Distortions that leave images as they are, but for those given."""
    still = Colours(
        brightness=torch.zeros(count),
        contrast=torch.ones(count),
        saturation=torch.ones(count),
        hue=torch.zeros(count),
        contrast_first=torch.zeros(count, dtype=torch.bool),
        order=torch.arange(3).repeat(count, 1),
    )
    dtypes = {"contrast_first": torch.bool, "order": torch.int64}
    return still._replace(
        **{
            name: torch.tensor(value, dtype=dtypes.get(name, torch.float32))
            for name, value in given.items()
        }
    )


def images(count: int) -> Tensor:
    """Random ones, with some grey, black, white and pure pixels."""
    pixels = torch.randint(0, 256, (count, 3, 4, 5))
    special = [[0, 0, 0], [255, 255, 255], [77, 77, 77], [255, 0, 0], [0, 255, 0]]
    pixels[:, :, 0] = torch.tensor(special).T
    return pixels.float()


def cut_off(value: float) -> float:
    return min(max(value, 0.0), 255.0)


def naive(pixel: list[float], drawn: Colours, image: int) -> list[float]:
    """SSD's distortions of one pixel (b, g, r), without rounding."""
    contrast = drawn.contrast[image].item()
    pixel = [cut_off(value + drawn.brightness[image].item()) for value in pixel]
    if drawn.contrast_first[image]:
        pixel = [cut_off(value * contrast) for value in pixel]
    hue, saturation, value = colorsys.rgb_to_hsv(*(number / 255 for number in pixel[::-1]))
    saturation = min(saturation * drawn.saturation[image].item(), 1)
    hue = (hue + drawn.hue[image].item() / 360) % 1
    pixel = [255 * number for number in colorsys.hsv_to_rgb(hue, saturation, value)][::-1]
    if not drawn.contrast_first[image]:
        pixel = [cut_off(value * contrast) for value in pixel]
    return [pixel[place] for place in drawn.order[image].tolist()]


def expected(x: Tensor, drawn: Colours) -> NDArray[np.float64]:
    result = np.empty(x.shape)
    for image, row, column in np.ndindex(len(x), *x.shape[2:]):
        pixel = x[image, :, row, column].tolist()
        result[image, :, row, column] = naive(pixel, drawn, image)
    return result


@pytest.mark.parametrize(
    "drawn",
    [
        pytest.param(colours(2), id="nothing"),
        pytest.param(colours(2, brightness=[-40, 25.5]), id="brightness"),
        pytest.param(colours(2, contrast=[0.3, 1.6]), id="contrast"),
        pytest.param(colours(2, contrast=[0.3, 1.6], contrast_first=[1, 1]), id="contrast first"),
        pytest.param(colours(2, saturation=[0.2, 1.7]), id="saturation"),
        pytest.param(colours(2, saturation=[0, 50]), id="grey, and as strong as can be"),
        pytest.param(colours(2, hue=[36, -31]), id="hue"),
        pytest.param(colours(2, hue=[0, 720]), id="twice around"),
        pytest.param(colours(2, order=[[2, 0, 1], [0, 2, 1]]), id="order"),
    ],
)
def test_one_step(drawn: Colours) -> None:
    x = images(2)

    found = x.clone()
    distort(found, drawn)

    np.testing.assert_allclose(found, expected(x, drawn), atol=2e-3)


def test_all_steps_in_either_order() -> None:
    drawn = make(SSD.replace("prob: 0.", "prob: 0.9")).draw(3, NUMBERS[:12])
    x = images(12)

    found = x.clone()
    distort(found, drawn)

    assert len(set(drawn.contrast_first.tolist())) == 2
    np.testing.assert_allclose(found, expected(x, drawn), atol=2e-3)


@pytest.mark.parametrize(
    ("name", "still", "probability", "low", "high"),
    [
        ("brightness", 0, 0.5, -32, 32),
        ("contrast", 1, 0.4, 0.5, 1.5),
        ("hue", 0, 0.3, -36, 36),
        ("saturation", 1, 0.2, 0.25, 1.75),
    ],
)
def test_each_is_drawn_as_often_and_evenly_as_is_said(
    name: str, still: float, probability: float, low: float, high: float
) -> None:
    drawn = getattr(make(SSD).draw(1, NUMBERS), name).numpy()

    changed = drawn[drawn != still]
    error = 4 * np.sqrt(probability * (1 - probability) / 20_000)
    assert len(changed) / 20_000 == pytest.approx(probability, abs=error)
    assert low <= changed.min() < low + 0.01 * (high - low)
    assert high - 0.01 * (high - low) < changed.max() <= high
    deviation = (high - low) / np.sqrt(12)
    middle, error = (low + high) / 2, 4 * deviation / np.sqrt(len(changed))
    assert changed.mean() == pytest.approx(middle, abs=error)
    assert changed.std() == pytest.approx(deviation, rel=0.03)


def test_all_six_orders_are_drawn_and_contrast_comes_first_in_half() -> None:
    drawn = make(SSD).draw(1, NUMBERS)

    orders, counts = np.unique(drawn.order.numpy(), axis=0, return_counts=True)
    assert len(orders) == 6
    wanted = 20_000 * (np.array([0.4, 0, 0, 0, 0, 0]) + 0.1)
    assert np.abs(counts - wanted).max() < 4 * np.sqrt(20_000 * 0.25)
    assert drawn.contrast_first.float().mean() == pytest.approx(0.5, abs=0.015)


def test_what_is_drawn_is_independent() -> None:
    drawn = make(SSD).draw(1, NUMBERS)

    together = np.corrcoef([each.numpy() for each in (*drawn[:5], drawn.order[:, 0])])
    assert np.abs(together - np.eye(6)).max() < 4.5 / np.sqrt(20_000)


def test_depends_on_the_seed_and_the_number_alone() -> None:
    whole, part = make(SSD).draw(1, NUMBERS[:9]), make(SSD).draw(1, NUMBERS[4:6])

    for all_, some in zip(whole, part, strict=True):
        assert torch.equal(some, all_[4:6])


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ("hue_prob: 1.5", "hue_prob is 1.5; it is a probability, 0 to 1"),
        ("random_order_prob: -1", "random_order_prob is -1; it is a probability, 0 to 1"),
        ("brightness_delta: -1", "brightness_delta is -1; 0 or more is allowed"),
        ("hue_delta: nan", "hue_delta is nan; 0 or more is allowed"),
        (
            "contrast_lower: 2 contrast_upper: 1",
            "contrast_lower is 2, above contrast_upper, which is 1",
        ),
        ("saturation_lower: 2", "saturation_lower is 2, above saturation_upper, which is 0"),
    ],
)
def test_refuses(settings: str, text: str) -> None:
    with pytest.raises(LayerError) as caught:
        make(settings)
    assert str(caught.value) == f"layer 'data' (Data): distort_param: {text}"
    assert caught.value.field == "transform_param.distort_param"
