"""The learning rate of each iteration, by the name `lr_policy` gives."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from caffepy.proto import SolverParameter


def power(base: float, exponent: float) -> float:
    """C's pow: inf where it overflows and nan where it has no value, instead of exceptions."""
    with np.errstate(all="ignore"):
        return float(np.float_power(base, exponent))


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


def multistep(param: SolverParameter, _iteration: int, current_step: int) -> float:
    """base_lr · gamma^current_step, where `next_step` counts the steps."""
    return param.base_lr * power(param.gamma, current_step)


def poly(param: SolverParameter, iteration: int, _step: int) -> float:
    """base_lr · (1 - iteration / max_iter)^power; nan where max_iter is 0 or long past."""
    done = iteration / param.max_iter if param.max_iter else math.nan
    return param.base_lr * power(1 - done, param.power)


def sigmoid(param: SolverParameter, iteration: int, _step: int) -> float:
    """base_lr / (1 + exp(-gamma · (iteration - stepsize)))."""
    return param.base_lr / (1 + power(math.e, -param.gamma * (iteration - param.stepsize)))


POLICIES: dict[str, Callable[[SolverParameter, int, int], float]] = {
    "fixed": fixed,
    "step": step,
    "exp": exp,
    "inv": inv,
    "multistep": multistep,
    "poly": poly,
    "sigmoid": sigmoid,
}


def next_step(stepvalues: Sequence[int], iteration: int, current_step: int) -> int:
    """The multistep counter at an iteration: at most one more than it was before."""
    passed = current_step < len(stepvalues) and iteration >= stepvalues[current_step]
    return current_step + passed
