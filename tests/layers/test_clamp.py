import math

import torch

from caffepy.layers.clamp import clamp_value


def test_the_value_is_cut_and_the_gradient_is_not() -> None:
    x = torch.tensor([-3.0, 0.5, 7.0, math.inf], requires_grad=True)

    y = clamp_value(x, low=-1, high=2)
    (gradient,) = torch.autograd.grad(y, x, torch.tensor([1.0, 2, 3, 4]))

    assert y.tolist() == [-1, 0.5, 2, 2]
    assert gradient.tolist() == [1, 2, 3, 4]


def test_either_side_alone() -> None:
    x = torch.tensor([-3.0, 7.0])

    assert clamp_value(x, low=0).tolist() == [0, 7]
    assert clamp_value(x, high=0).tolist() == [-3, 0]


def test_nan_is_not_hidden() -> None:
    assert clamp_value(torch.tensor(math.nan), low=0).isnan()
