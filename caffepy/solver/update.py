"""One update: from the gradients of a net to its new parameters."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from caffepy.errors import SolverError
from caffepy.net.params import Learnable
from caffepy.proto import SolverParameter
from caffepy.solver import report
from caffepy.solver.gradients import add_l1, clip, normalise
from caffepy.solver.lr_policy import POLICIES, next_step
from caffepy.solver.rules.rule import RULES

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Group:
    """Parameters with the same local rate and decay; histories: a list a slot, a tensor each."""

    params: list[Tensor]
    histories: list[list[Tensor]]
    lr_mult: float
    decay_mult: float

    @property
    def gradients(self) -> list[Tensor]:
        """What the backward passes added up, one tensor a parameter."""
        return [cast("Tensor", param.grad) for param in self.params]


def group(learnable: Sequence[Learnable], history: Sequence[Tensor], slots: int) -> list[Group]:
    """The groups of a net's parameters; frozen ones are in none.

    history: slot by slot, in each one tensor for every parameter, frozen ones included.
    """
    groups: dict[tuple[float, float], Group] = {}
    for index, entry in enumerate(learnable):
        if not entry.param.requires_grad:
            continue
        key = (entry.lr_mult, entry.decay_mult)
        chosen = groups.setdefault(key, Group([], [[] for _ in range(slots)], *key))
        chosen.params.append(entry.param)
        for slot, tensors in enumerate(chosen.histories):
            tensors.append(history[slot * len(learnable) + index])
    return list(groups.values())


class Updater:
    """Moves the learnable blobs of a net by a solver's settings.

    history: what the rule carries from one update to the next, in the order of Caffe's solverstate:
    slot by slot, in each one tensor in the shape of every blob, zeros at the start. current_step:
    how many stepvalues the multistep policy has passed.
    """

    def __init__(self, param: SolverParameter, learnable: Sequence[Learnable]) -> None:
        self.param = param
        self.rule = RULES[param.type]
        blobs = [entry.param.detach() for entry in learnable]
        self.history = [torch.zeros_like(blob) for blob in blobs * self.rule.slots]
        self.current_step = 0
        self._groups = group(learnable, self.history, self.rule.slots)

    def rate(self, iteration: int) -> float:
        """The learning rate of an iteration, asked for once in each; SolverError where not finite."""
        param = self.param
        if param.lr_policy == "multistep":
            before = self.current_step
            self.current_step = next_step(param.stepvalue, iteration, before)
            if self.current_step != before:
                log.info(report.multistep(iteration, self.current_step))
        rate = POLICIES[param.lr_policy](param, iteration, self.current_step)
        if not math.isfinite(rate):
            raise SolverError(
                f"iteration {iteration}: lr_policy {param.lr_policy!r} gives the learning rate "
                f"{report.number(rate)} (base_lr {param.base_lr:g}, gamma {param.gamma:g}, power "
                f"{param.power:g}, max_iter {param.max_iter})"
            )
        return rate

    @torch.no_grad()
    def update(self, rate: float, iteration: int) -> None:
        """Clip, average, decay and apply the gradients, in Caffe's order.

        With snapshot_diff what it takes off each parameter is left where its gradient was.

        Source: SGDSolver::ApplyUpdate in caffe/src/caffe/solvers/sgd_solver.cpp
        """
        gradients = [gradient for part in self._groups for gradient in part.gradients]
        if not gradients:
            return
        limit = self.param.clip_gradients
        clipped = clip(gradients, limit) if limit >= 0 else None
        if clipped is not None:
            norm, factor = clipped
            log.info(report.clipping(norm, limit, factor))
        normalise(gradients, self.param.iter_size)
        for part in self._groups:
            before = [param.clone() for param in part.params] if self.param.snapshot_diff else []
            self._move(part, rate, iteration)
            for param, old in zip(part.params, before, strict=False):
                param.grad = old.sub_(param)

    def _move(self, part: Group, rate: float, iteration: int) -> None:
        decay = self.param.weight_decay * part.decay_mult
        if decay and self.param.regularization_type == "L1":
            add_l1(part.params, part.gradients, decay)
            decay = 0.0
        self.rule.update(
            part.params,
            part.gradients,
            *part.histories,
            rate=rate * part.lr_mult,
            decay=decay,
            **{
                name: iteration if name == "iteration" else getattr(self.param, name)
                for name in self.rule.reads
            },
        )
