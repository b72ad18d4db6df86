"""AdaGrad: each number's rate falls with the gradients it has seen."""

import torch
from torch import Tensor
from torch.optim.adagrad import adagrad as torch_adagrad


def adagrad(
    params: list[Tensor],
    gradients: list[Tensor],
    history: list[Tensor],
    *,
    rate: float,
    decay: float,
    delta: float,
) -> None:
    """h = h + g^2; w = w - rate · g / (sqrt(h) + delta), with decay · w in g.

    history: h, one a parameter, zeros at the start; in place.
    Source: caffe/src/caffe/solvers/adagrad_solver.cpp; Duchi, Hazan and Singer, "Adaptive
    subgradient methods for online learning and stochastic optimization" (2011).
    """
    torch_adagrad(
        params,
        gradients,
        history,
        [torch.zeros(()) for _ in params],
        fused=params[0].device.type == "cpu",
        lr=rate,
        weight_decay=decay,
        lr_decay=0.0,
        eps=delta,
        maximize=False,
    )
