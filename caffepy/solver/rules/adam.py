"""Adam: the mean of the gradients over the root of the mean of their squares."""

import torch
from torch import Tensor
from torch.optim.adam import adam as torch_adam


def adam(
    params: list[Tensor],
    gradients: list[Tensor],
    means: list[Tensor],
    squares: list[Tensor],
    *,
    rate: float,
    decay: float,
    momentum: float,
    momentum2: float,
    delta: float,
    iteration: int,
) -> None:
    """m and v: running means of g and g^2; w = w - rate · c · m / (sqrt(v) + delta).

    c = sqrt(1 - momentum2^t) / (1 - momentum^t), t = iteration + 1, with decay · w in g. means,
    squares: m and v, one a parameter, zeros at the start; in place.
    Source: caffe/src/caffe/solvers/adam_solver.cpp; Kingma and Ba, "Adam: a method for stochastic
    optimization" (2015).
    """
    device = params[0].device
    torch_adam(
        params,
        gradients,
        means,
        squares,
        [],
        [torch.tensor(float(iteration), device=device) for _ in params],  # torch adds the 1
        fused=True,
        amsgrad=False,
        beta1=momentum,
        beta2=momentum2,
        lr=rate,
        weight_decay=decay,
        # Torch divides sqrt(v) by sqrt(1 - momentum2^t) before it adds eps; Caffe's delta is bare.
        eps=delta / (1 - momentum2 ** (iteration + 1)) ** 0.5,
        maximize=False,
    )
