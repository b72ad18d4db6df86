"""Nesterov: momentum that looks ahead."""

import torch
from torch import Tensor
from torch.optim.sgd import sgd as torch_sgd

from caffepy.solver.rules.sgd import sgd


def nesterov(
    params: list[Tensor],
    gradients: list[Tensor],
    history: list[Tensor],
    *,
    rate: float,
    decay: float,
    momentum: float,
) -> None:
    """V' = momentum · V + rate · (g + decay · w); w = w - ((1 + momentum) · V' - momentum · V).

    history: V, one a parameter, zeros at the start; in place.
    Source: caffe/src/caffe/solvers/nesterov_solver.cpp; Nesterov, "A method for solving the convex
    programming problem with convergence rate O(1/k^2)" (1983).
    """
    if momentum == 0:  # nothing to look ahead to
        sgd(params, gradients, history, rate=rate, decay=decay, momentum=momentum)
        return
    torch_sgd(
        params,
        gradients,
        list(history),
        fused=True,
        # Torch keeps the rate outside of V. Inside, it scales gradient and decay alike, and torch's
        # step g + momentum · V' is then Caffe's.
        grad_scale=torch.tensor(rate, device=params[0].device).reciprocal(),
        weight_decay=rate * decay,
        momentum=momentum,
        lr=1,
        dampening=0,
        nesterov=True,
        maximize=False,
    )
