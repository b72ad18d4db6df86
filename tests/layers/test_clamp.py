import math

import torch

from caffepy.layers.clamp import at_least


def test_the_value_is_cut_and_the_gradient_is_not() -> None:
    x = torch.tensor([-3.0, 0.5, 7.0, -math.inf], requires_grad=True)

    y = at_least(x, -1)
    (gradient,) = torch.autograd.grad(y, x, torch.tensor([1.0, 2, 3, 4]))

    assert y.tolist() == [-1, 0.5, 7, -1]
    assert gradient.tolist() == [1, 2, 3, 4]


def test_nan_is_not_hidden() -> None:
    assert at_least(torch.tensor(math.nan), 0).isnan()
