"""Caffe's training of tests/solver/tiny.py's net, written out in numpy's doubles."""

import numpy as np
from numpy.typing import NDArray

from caffepy.proto import SolverParameter
from tests.solver.tiny import rows

Array = NDArray[np.float64]
MULTIPLIERS = [(1.5, 0.5), (2, 0)]  # lr_mult and decay_mult of the weights and of the biases
SLOTS = {"SGD": 1, "Nesterov": 1, "AdaGrad": 1, "RMSProp": 1, "AdaDelta": 2, "Adam": 2}


def naive_training(weight: Array, bias: Array, param: SolverParameter, count: int) -> Array:
    """Parameters and histories, flat, after `count` updates; 4 rows a batch, in order."""
    data, label = rows()
    params = [weight, bias]
    history = [[np.zeros_like(w) for w in params] for _ in range(SLOTS[param.type])]
    size = param.iter_size
    step = 0
    for iteration in range(count):
        if param.lr_policy == "multistep" and step < len(param.stepvalue):
            step += iteration >= param.stepvalue[step]
        rate = learning_rate(param, iteration, step)
        gradients = [np.zeros_like(w) for w in params]
        for part in range(size):
            at = (4 * (iteration * size + part) + np.arange(4)) % len(data)
            added = softmax_gradients(data[at], label[at], *params)
            gradients = [total + new for total, new in zip(gradients, added, strict=True)]
        norm = np.sqrt(sum((g**2).sum() for g in gradients))
        shrink = param.clip_gradients / norm if 0 <= param.clip_gradients < norm else 1.0
        for i, (lr_mult, decay_mult) in enumerate(MULTIPLIERS):
            g = gradients[i] * shrink / size
            local = local_rate(param, params[i], g, rate, lr_mult)
            l1 = param.regularization_type == "L1"
            g = g + decay_at(param, iteration) * decay_mult * (
                np.sign(params[i]) if l1 else params[i]
            )
            slots = [slot[i] for slot in history]
            params[i] = params[i] - step_of(param, g, slots, local, iteration)
    return np.concatenate([np.ravel(x) for part in (params, *history) for x in part])


def softmax_gradients(
    x: NDArray[np.float32], label: NDArray[np.int64], weight: Array, bias: Array
) -> tuple[Array, Array]:
    """Of the mean of -log p(label), by hand."""
    scores = np.exp(x @ weight.T + bias)
    wrong = scores / scores.sum(1, keepdims=True) - np.eye(3)[label]
    return wrong.T @ x / len(x), wrong.mean(0)


def learning_rate(param: SolverParameter, i: int, step: int) -> float:
    """Of iteration i."""
    if i < param.rampup_interval:
        return (
            param.rampup_lr + (param.base_lr - param.rampup_lr) * (i / param.rampup_interval) ** 2
        )
    share: dict[str, float] = {
        "fixed": 1.0,
        "step": param.gamma ** (i // max(param.stepsize, 1)),
        "exp": param.gamma**i,
        "inv": (1 + param.gamma * i) ** -param.power,
        "multistep": param.gamma**step,
        "poly": (1 - i / param.max_iter) ** param.power,
        "sigmoid": float(1 / (1 + np.exp(-param.gamma * (i - param.stepsize)))),
    }
    return max(param.base_lr * share[param.lr_policy], param.min_lr)


def momentum_at(param: SolverParameter, i: int) -> float:
    """Of iteration i; the policies fixed and poly."""
    if param.momentum_policy == "fixed":
        return param.momentum
    way: float = (i / param.max_iter) ** param.momentum_power
    return param.momentum + (param.max_momentum - param.momentum) * way


def decay_at(param: SolverParameter, i: int) -> float:
    """The weight decay of iteration i."""
    if param.weight_decay_policy == "fixed":
        return param.weight_decay
    way: float = (i / param.max_iter) ** param.weight_decay_power
    return param.weight_decay + (param.max_weight_decay - param.weight_decay) * way


def local_rate(param: SolverParameter, w: Array, g: Array, rate: float, lr_mult: float) -> float:
    """Of one blob; LARC where the solver has it, with momentum's policy fixed."""
    if not param.larc:
        return rate * lr_mult
    norms = float(np.linalg.norm(w)), float(np.linalg.norm(g))
    trust = (1 - param.momentum) * param.larc_eta * norms[0] / norms[1] if all(norms) else 1.0
    local = trust * lr_mult
    return min(rate, local) if param.larc_policy == "clip" else rate * local


def step_of(
    param: SolverParameter, g: Array, slots: list[Array], rate: float, iteration: int
) -> Array:
    """What one blob loses; its histories change in place."""
    mu, delta, h, second = momentum_at(param, iteration), param.delta, slots[0], slots[-1]
    if param.type in ("SGD", "Nesterov"):
        before = h.copy()
        h[...] = mu * h + rate * g
        update = (1 + mu) * h - mu * before if param.type == "Nesterov" else h.copy()
    elif param.type in ("AdaGrad", "RMSProp"):
        d = param.rms_decay
        h[...] = h + g**2 if param.type == "AdaGrad" else d * h + (1 - d) * g**2
        update = rate * g / (np.sqrt(h) + delta)
    elif param.type == "AdaDelta":
        h[...] = mu * h + (1 - mu) * g**2
        v = g * np.sqrt((second + delta) / (h + delta))
        second[...] = mu * second + (1 - mu) * v**2
        update = rate * v
    else:
        h[...] = mu * h + (1 - mu) * g
        second[...] = param.momentum2 * second + (1 - param.momentum2) * g**2
        t = iteration + 1
        correction = np.sqrt(1 - param.momentum2**t) / (1 - mu**t)
        update = rate * correction * h / (np.sqrt(second) + delta)
    return update
