"""AdaDelta: steps in the units of the steps before."""

import torch
from torch import Tensor

# How many numbers are updated at a time on a CPU: few enough to stay in its cache from the first
# operation to the last.
CHUNK = 1 << 16


def adadelta(
    params: list[Tensor],
    gradients: list[Tensor],
    squares: list[Tensor],
    steps: list[Tensor],
    *,
    rate: float,
    decay: float,
    momentum: float,
    delta: float,
) -> None:
    """h = μ h + (1 - μ) g^2; v = g sqrt((D + delta) / (h + delta)); D = μ D + (1 - μ) v^2; w = w - rate · v.

    μ = momentum, with decay · w in g. squares, steps: h and D, one a parameter, zeros at the start;
    in place. The gradients are left as v.
    Source: caffe/src/caffe/solvers/adadelta_solver.cpp; Zeiler, "ADADELTA: an adaptive learning
    rate method" (2012).
    """
    for tensors in zip(params, gradients, squares, steps, strict=True):
        size = CHUNK if tensors[0].device.type == "cpu" else tensors[0].numel()
        for w, g, h, d in zip(
            *(torch.split(tensor.view(-1), size) for tensor in tensors), strict=True
        ):
            g.add_(w, alpha=decay)
            h.mul_(momentum).addcmul_(g, g, value=1 - momentum)
            g.mul_((d + delta).div_(h + delta).sqrt_())
            d.mul_(momentum).addcmul_(g, g, value=1 - momentum)
            w.sub_(g, alpha=rate)
