import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Layer, Shape
from caffepy.layers.statistics import (
    by_averages,
    by_batch,
    channels_of,
    hold_still,
    require_channels,
    statistic,
)
from caffepy.proto import LayerParameter, ParamSpec
from tests.layers.conformance import random_bottoms

LAYER = Layer(LayerParameter(name="norm", type="Silence"))


def by_channel(x: torch.Tensor) -> list[list[float]]:
    """The numbers of each channel."""
    items = x.detach().numpy()
    items = items[:, None] if items.ndim == 1 else items
    return [items[:, channel].ravel().tolist() for channel in range(items.shape[1])]


@pytest.mark.parametrize(
    "shape",
    [(7,), (4, 3), (2, 3, 5), (2, 3, 4, 5), (2, 3, 1, 4, 5), (2, 3, 1, 2, 4, 5)],
    ids=lambda shape: f"{len(shape)} axes",
)
def test_the_statistics_of_a_batch_are_over_all_but_the_channels(shape: Shape) -> None:
    (x,) = random_bottoms(shape)

    y, mean, variance, estimate = by_batch(x, 0.25)

    assert y.shape == x.shape
    for channel, numbers in enumerate(by_channel(x)):
        count = len(numbers)
        average = sum(numbers) / count
        square = sum((number - average) ** 2 for number in numbers)
        assert mean[channel].item() == pytest.approx(average)
        assert variance[channel].item() == pytest.approx(square / count)
        assert estimate[channel].item() == pytest.approx(square / (count - 1))
        normal = [(number - average) / (square / count + 0.25) ** 0.5 for number in numbers]
        np.testing.assert_allclose(by_channel(y)[channel], normal, atol=1e-12)
    assert [part.requires_grad for part in (mean, variance, estimate)] == [False] * 3


def test_one_number_a_channel_has_no_variance_and_no_gradient() -> None:
    x = torch.tensor([[3.0, -5.0]], requires_grad=True)
    shift = torch.tensor([0.5, 0.25])

    y, mean, variance, estimate = by_batch(x, 1e-5, (torch.tensor([2.0, 4.0]), shift))
    (gradient,) = torch.autograd.grad(y.sum(), x)

    assert y.tolist() == [[0.5, 0.25]]
    assert mean.tolist() == [3, -5]
    assert variance.tolist() == estimate.tolist() == [0, 0]
    assert gradient.tolist() == [[0, 0]]


def test_statistics_of_half_precision_are_kept_in_single() -> None:
    for shape in [(6, 3), (1, 3)]:
        batch = by_batch(torch.rand(shape).bfloat16(), 1e-5)

        assert batch.y.dtype == torch.bfloat16
        assert batch.mean.dtype == batch.variance.dtype == batch.estimate.dtype == torch.float32


def test_averages_take_the_place_of_the_batchs_statistics() -> None:
    x = torch.tensor([[1.0, 2.0], [5.0, 8.0]])
    averages = (torch.tensor([1.0, 2.0]), torch.tensor([3.0, 8.0]))

    y = by_averages(x, averages, 1, (torch.tensor([2.0, 30.0]), torch.tensor([0.5, 0.25])))

    torch.testing.assert_close(y, torch.tensor([[0.5, 0.25], [4.5, 60.25]]))
    torch.testing.assert_close(
        by_averages(x[:, 0], (averages[0][:1], averages[1][:1]), 1), torch.tensor([0.0, 2.0])
    )


@pytest.mark.parametrize(("bottom", "channels"), [((7,), 1), ((4, 3), 3), ((2, 5, 4), 5)])
def test_channels_are_on_axis_1(bottom: Shape, channels: int) -> None:
    assert channels_of(LAYER, bottom) == channels
    require_channels(LAYER, bottom, channels)
    with pytest.raises(LayerError, match=r"'norm'.*must have 9 channels on axis 1"):
        require_channels(LAYER, bottom, 9)


def test_a_single_number_has_no_channels() -> None:
    with pytest.raises(LayerError, match=r"'norm'.*must have at least 1 axis"):
        channels_of(LAYER, ())


def test_a_statistic_does_not_learn() -> None:
    blob = statistic(1, 3)

    assert blob.tolist() == [[0, 0, 0]]
    assert not blob.requires_grad


@pytest.mark.parametrize(
    ("given", "blobs", "rates"),
    [
        pytest.param([], [0, 1, 2], [0, 0, 0], id="none given"),
        pytest.param([0], [0, 1, 2], [0, 0, 0], id="some given"),
        pytest.param([], [2, 3], [1, 1, 0, 0], id="after blobs that learn"),
        pytest.param([3], [2, 3], [3, 1, 0, 0], id="one that learns given"),
    ],
)
def test_missing_params_are_added(given: list[float], blobs: list[int], rates: list[float]) -> None:
    message = LayerParameter(param=[ParamSpec(lr_mult=rate) for rate in given])
    layer = Layer(message)

    hold_still(layer, blobs)

    assert [spec.lr_mult for spec in layer.param.param] == rates
    assert len(message.param) == len(given)


@pytest.mark.parametrize(
    "params",
    [
        pytest.param([ParamSpec(lr_mult=0), ParamSpec(lr_mult=0.5)], id="a rate"),
        pytest.param([ParamSpec(lr_mult=0), ParamSpec()], id="the default, which is 1"),
    ],
)
def test_a_statistic_that_shall_learn_is_refused(params: list[ParamSpec]) -> None:
    layer = Layer(LayerParameter(name="norm", param=params))

    with pytest.raises(LayerError, match=r"'norm'.*param 1 has lr_mult .*, must be 0") as caught:
        hold_still(layer, range(3))

    assert caught.value.field == "param"
