"""The learning rate, momentum and weight decay of each iteration, by the names of their policies."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from caffepy.proto import SolverParameter


def power(base: float, exponent: float) -> float:
    """C's pow: inf where it overflows and nan where it has no value, instead of exceptions."""
    with np.errstate(all="ignore"):
        return float(np.float_power(base, exponent))


def done(param: SolverParameter, iteration: int) -> float:
    """The share of max_iter that an iteration has behind it; nan where max_iter is 0."""
    return iteration / param.max_iter if param.max_iter else math.nan


def fixed(param: SolverParameter, _iteration: int, _step: int) -> float:
    """base_lr."""
    return param.base_lr


def step(param: SolverParameter, iteration: int, _step: int) -> float:
    """base_lr · gamma^floor(iteration / stepsize)."""
    return param.base_lr * power(param.gamma, iteration // param.stepsize)


def exp(param: SolverParameter, iteration: int, _step: int) -> float:
    """base_lr · gamma^iteration."""
    return param.base_lr * power(param.gamma, iteration)


def inv(param: SolverParameter, iteration: int, _step: int) -> float:
    """base_lr · (1 + gamma · iteration)^(-power)."""
    return param.base_lr * power(1 + param.gamma * iteration, -param.power)


def stepped(param: SolverParameter, _iteration: int, current_step: int) -> float:
    """base_lr · gamma^current_step; `next_step` or a Plateau counts the steps."""
    return param.base_lr * power(param.gamma, current_step)


def poly(param: SolverParameter, iteration: int, _step: int) -> float:
    """min_lr + (base_lr - min_lr) · (1 - iteration / max_iter)^power; min_lr is 0 in BVLC's Caffe.

    nan where max_iter is 0 or long past.
    """
    left = power(1 - done(param, iteration), param.power)
    return param.min_lr + (param.base_lr - param.min_lr) * left


def sigmoid(param: SolverParameter, iteration: int, _step: int) -> float:
    """base_lr / (1 + exp(-gamma · (iteration - stepsize)))."""
    return param.base_lr / (1 + power(math.e, -param.gamma * (iteration - param.stepsize)))


def multifixed(param: SolverParameter, iteration: int, _step: int) -> float:
    """The stagelr of the first stage whose stageiter is not passed, or else of the last (Intel)."""
    stages = zip(param.stagelr, param.stageiter, strict=True)
    return next((rate for rate, last in stages if iteration <= last), param.stagelr[-1])


POLICIES: dict[str, Callable[[SolverParameter, int, int], float]] = {
    "fixed": fixed,
    "step": step,
    "exp": exp,
    "inv": inv,
    "multistep": stepped,
    "poly": poly,
    "sigmoid": sigmoid,
    "plateau": stepped,
    "multifixed": multifixed,
}


def learning_rate(param: SolverParameter, iteration: int, current_step: int) -> float:
    """The rate of an iteration: rising at first where the solver says so, then by its policy.

    The policy counts iterations from the start of the training, not from the end of the rise, and
    min_lr is the least it gives.
    """
    if is_rising(param, iteration):
        return _rise(param, iteration)
    rate = POLICIES[param.lr_policy](param, iteration, current_step)
    return max(rate, param.min_lr) if param.HasField("min_lr") else rate


def is_rising(param: SolverParameter, iteration: int) -> bool:
    """Whether an iteration comes before the policy's turn."""
    return iteration < max(param.rampup_interval, param.warmup_iter)


def _rise(param: SolverParameter, iteration: int) -> float:
    """From rampup_lr as a square (NVCaffe), or from warmup_start_lr in a line (Intel), to base_lr."""
    if param.rampup_interval:
        start, share = param.rampup_lr, (iteration / param.rampup_interval) ** 2
    else:
        start, share = param.warmup_start_lr, iteration / param.warmup_iter
    return start + (param.base_lr - start) * share


def momentum(param: SolverParameter, iteration: int, rate: float) -> float:
    """The momentum of an iteration whose learning rate is `rate`.

    fixed: momentum. poly: from there to max_momentum, by (iteration / max_iter)^momentum_power.
    opt: (1 - sqrt(rate) / 2)^2, max_momentum at most. The policies are NVCaffe's.
    """
    if param.momentum_policy == "poly":
        way = power(done(param, iteration), param.momentum_power)
        return param.momentum + (param.max_momentum - param.momentum) * way
    if param.momentum_policy == "opt":
        return min((1 - power(rate, 0.5) / 2) ** 2, param.max_momentum)
    return param.momentum


def weight_decay(param: SolverParameter, iteration: int) -> float:
    """The weight decay of an iteration.

    fixed: weight_decay. poly (NVCaffe): from there to max_weight_decay, by
    (iteration / max_iter)^weight_decay_power.
    """
    if param.weight_decay_policy == "poly":
        way = power(done(param, iteration), param.weight_decay_power)
        return param.weight_decay + (param.max_weight_decay - param.weight_decay) * way
    return param.weight_decay


def next_step(stepvalues: Sequence[int], iteration: int, current_step: int) -> int:
    """The multistep counter at an iteration: at most one more than it was before."""
    passed = current_step < len(stepvalues) and iteration >= stepvalues[current_step]
    return current_step + passed
