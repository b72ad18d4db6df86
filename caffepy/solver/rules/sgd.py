"""SGD: stochastic gradient descent with momentum."""

import torch
from torch import Tensor


def sgd(
    params: list[Tensor],
    gradients: list[Tensor],
    history: list[Tensor],
    *,
    rate: float,
    decay: float,
    momentum: float,
) -> None:
    """V = momentum · V + rate · (g + decay · w); w = w - V, in place.

    history: V, one a parameter, zeros at the start. The rate is inside V, so after a drop of the
    rate V still carries the old one; torch's own SGD keeps it outside.
    Source: caffe/src/caffe/solvers/sgd_solver.cpp
    """
    if momentum == 0:  # torch keeps no buffer then, but a snapshot holds V
        torch._foreach_copy_(history, gradients)
        torch._foreach_add_(history, params, alpha=decay)
        torch._foreach_mul_(history, rate)
        torch._foreach_sub_(params, history)
        return
    torch._fused_sgd_(
        params,
        gradients,
        history,
        weight_decay=decay,
        momentum=momentum,
        lr=1,
        dampening=1 - rate,  # so that torch's V = momentum · V + (1 - dampening) · g is Caffe's
        nesterov=False,
        maximize=False,
        is_first_step=False,
    )
