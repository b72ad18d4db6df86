from collections.abc import Callable
from typing import cast

import pytest
import torch
from torch import Tensor

from caffepy.errors import LayerError
from caffepy.layers import damping
from caffepy.layers.damping import (
    AcrossChannels,
    Damping,
    across_channels,
    sliding_sum,
    within_channel,
)
from tests.layers.conformance import random_bottoms

ALEXNET = Damping(size=5, rate=0.3, beta=0.75, k=1.5)
LAYOUTS = [torch.contiguous_format, torch.channels_last]


def written_out(x: Tensor, damping: Damping) -> Tensor:
    return cast("Tensor", AcrossChannels.apply(x, damping))


def both(x: Tensor, gradient: Tensor) -> list[tuple[Tensor, Tensor]]:
    """y and the gradient of x: as written out, and as torch derives it."""
    results = []
    for function in (written_out, across_channels):
        leaf = x.detach().requires_grad_()
        y = function(leaf, ALEXNET)
        (x_gradient,) = torch.autograd.grad(y, leaf, gradient)
        results.append((y.detach(), x_gradient))
    return results


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("chunk", [1, 60, 1000])
def test_a_few_rows_at_a_time_give_what_all_at_once_do(
    layout: torch.memory_format, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(damping, "CHUNK", chunk)
    x, gradient = (t.detach().to(memory_format=layout) for t in random_bottoms(*[(3, 7, 4, 5)] * 2))

    (y, x_gradient), (expected, expected_gradient) = both(x, gradient)

    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(x_gradient, expected_gradient)
    assert y.stride() == x.stride()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_gaps_in_memory_and_other_layouts_of_the_gradient(layout: torch.memory_format) -> None:
    """As behind a Slice, and before a layer that left the layout."""
    whole, gradient = (t.detach() for t in random_bottoms((3, 7, 4, 5), (3, 4, 4, 5)))
    x = whole.to(memory_format=layout)[:, 2:6]

    (y, x_gradient), (expected, expected_gradient) = both(x, gradient.transpose(2, 3).mT)

    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(x_gradient, expected_gradient)


@pytest.mark.parametrize("shape", [(2, 1, 3, 4), (2, 6, 1, 1), (0, 3, 4, 5)])
def test_one_channel_one_pixel_no_image(shape: tuple[int, ...]) -> None:
    x, gradient = torch.rand(2, *shape)

    (y, x_gradient), (expected, expected_gradient) = both(x, gradient)

    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(x_gradient, expected_gradient)


@pytest.mark.parametrize("function", [written_out, across_channels, within_channel])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_the_bits_are_enough_for_large_numbers(
    function: Callable[[Tensor, Damping], Tensor], dtype: torch.dtype
) -> None:
    """The square of 300 is beyond float16."""
    x = torch.full((2, 7, 3, 4), 300.0, dtype=dtype).requires_grad_()

    y = function(x, ALEXNET)
    (gradient,) = torch.autograd.grad(y.float().sum(), x)

    expected = function(x.detach().double(), ALEXNET)
    torch.testing.assert_close(y.double(), expected, rtol=0.01, atol=0)
    assert y.dtype == dtype
    assert gradient.isfinite().all()


def test_only_the_bottom_is_kept_for_backward() -> None:
    kept: list[Tensor] = []
    x = torch.rand(2, 7, 3, 4, requires_grad=True)

    with torch.autograd.graph.saved_tensors_hooks(kept.append, lambda _: x):
        written_out(x, ALEXNET)

    assert [tensor.data_ptr() for tensor in kept] == [x.data_ptr()]


def test_gradients_of_gradients_are_refused() -> None:
    x = torch.rand(2, 7, 3, 4, requires_grad=True)

    with pytest.raises(LayerError, match="LRN has no gradient of its gradient"):
        torch.autograd.grad(written_out(x, ALEXNET).sum(), x, create_graph=True)


@pytest.mark.parametrize("count", range(1, 10))
@pytest.mark.parametrize("step", [1, 3])
def test_sliding_sums(count: int, step: int) -> None:
    (terms,) = (t.detach() for t in random_bottoms((40,)))

    sums = sliding_sum(terms.clone(), count, step)

    last = 40 - (count - 1) * step
    expected = [sum(terms[i + j * step].item() for j in range(count)) for i in range(last)]
    assert sums.tolist() == pytest.approx(expected)
