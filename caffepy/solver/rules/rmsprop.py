"""RMSProp: the gradient over the root of the running mean of its square."""

from torch import Tensor

from caffepy.solver.rules.adam import adam

FOREVER = 1 << 24  # the iteration at which Adam's corrections have become 1


def rmsprop(
    params: list[Tensor],
    gradients: list[Tensor],
    squares: list[Tensor],
    *,
    rate: float,
    decay: float,
    rms_decay: float,
    delta: float,
) -> None:
    """h = d · h + (1 - d) · g^2; w = w - rate · g / (sqrt(h) + delta), d = rms_decay, decay · w in g.

    squares: h, one a parameter, zeros at the start; in place.
    Source: caffe/src/caffe/solvers/rmsprop_solver.cpp; Tieleman and Hinton, Lecture 6.5 of Neural
    Networks for Machine Learning (2012).
    """
    adam(
        params,
        gradients,
        gradients,  # Adam's mean of gradients, with momentum 0, is the gradient itself
        squares,
        rate=rate,
        decay=decay,
        momentum=0.0,
        momentum2=rms_decay,
        delta=delta,
        iteration=FOREVER,
    )
