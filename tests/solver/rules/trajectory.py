"""An update rule over several updates, beside the same formula in numpy's doubles."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
# The naive update of one array: (w, g, histories, rate, iteration), g with the decay in it; it
# changes the histories in place and returns what w loses.
Naive = Callable[[Doubles, list[Doubles], float, int], Doubles]

RATES = (0.1, 0.1, 0.01, 0.02)  # a drop, which shows where a rule keeps the rate
DECAY = 0.02
SHAPES = ((2, 3, 4), (5,))


def check_trajectory(
    rule: Callable[..., None], naive: Naive, slots: int, *, counts: bool = False, **settings: float
) -> None:
    """Assert that `rule` moves parameters and histories as `naive` does."""
    generator = torch.Generator().manual_seed(0)
    params = [torch.randn(shape, generator=generator) for shape in SHAPES]
    histories = [[torch.zeros_like(param) for param in params] for _ in range(slots)]
    expected = [param.double().numpy().copy() for param in params]
    kept = [[np.zeros_like(w) for w in expected] for _ in range(slots)]
    for iteration, rate in enumerate(RATES):
        gradients = [torch.randn(param.shape, generator=generator) for param in params]
        for i, gradient in enumerate(gradients):
            g = gradient.double().numpy() + DECAY * expected[i]
            expected[i] -= naive(g, [slot[i] for slot in kept], rate, iteration)
        count = {"iteration": iteration} if counts else {}
        rule(params, gradients, *histories, rate=rate, decay=DECAY, **settings, **count)
    for got, want in zip(params, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    for slot, slot_kept in zip(histories, kept, strict=True):
        for got, want in zip(slot, slot_kept, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-7)
