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
from caffepy.solver.gradients import add_l1, scale_down
from caffepy.solver.larc import trust
from caffepy.solver.lr_policy import is_rising, learning_rate, momentum, next_step, weight_decay
from caffepy.solver.plateau import Plateau
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
        return cast("list[Tensor]", [param.grad for param in self.params])


def group(
    learnable: Sequence[Learnable], history: Sequence[Tensor], slots: int, *, apart: bool = False
) -> list[Group]:
    """The groups of a net's parameters, or each one in a group apart; frozen ones are in none.

    history: slot by slot, in each one tensor for every parameter, frozen ones included.
    """
    groups: dict[tuple[float, float, int], Group] = {}
    for index, entry in enumerate(learnable):
        if not entry.param.requires_grad:
            continue
        key = (entry.lr_mult, entry.decay_mult, index if apart else 0)
        chosen = groups.setdefault(key, Group([], [[] for _ in range(slots)], *key[:2]))
        chosen.params.append(entry.param)
        for slot, tensors in enumerate(chosen.histories):
            tensors.append(history[slot * len(learnable) + index])
    return list(groups.values())


class Updater:
    """Moves the learnable blobs of a net by a solver's settings.

    history: what the rule carries from one update to the next, in the order of Caffe's solverstate:
    slot by slot, in each one tensor in the shape of every blob, zeros at the start. current_step:
    how many steps the step, multistep or plateau policy has made. plateau: what the latter watches.
    leaves_updates: whether `update` leaves what it takes off each parameter where its gradient was,
    as Caffe does; that takes time, and is for those who look.
    """

    def __init__(self, param: SolverParameter, learnable: Sequence[Learnable]) -> None:
        self.param = param
        self.rule = RULES[param.type]
        blobs = [entry.param.detach() for entry in learnable]
        self.history = [torch.zeros_like(blob) for blob in blobs * self.rule.slots]
        self.current_step = 0
        self.plateau = Plateau()
        self.leaves_updates = param.snapshot_diff
        self._groups = group(learnable, self.history, self.rule.slots, apart=param.larc)

    def rate(self, iteration: int) -> float:
        """The learning rate of an iteration, asked for once in each; SolverError where not finite."""
        param = self.param
        if not is_rising(param, iteration):
            self._count_steps(iteration)
        rate = learning_rate(param, iteration, self.current_step)
        if not math.isfinite(rate):
            raise SolverError(
                f"iteration {iteration}: lr_policy {param.lr_policy!r} gives the learning rate "
                f"{report.number(rate)} (base_lr {param.base_lr:g}, gamma {param.gamma:g}, power "
                f"{param.power:g}, max_iter {param.max_iter})"
            )
        return rate

    def line(self, iteration: int, rate: float) -> str:
        """What is logged of an iteration's rate; momentum and decay with it where they change."""
        param = self.param
        others = [("m", momentum(param, iteration, rate)), ("wd", weight_decay(param, iteration))]
        changes = {param.momentum_policy, param.weight_decay_policy} != {"fixed"}
        return report.rate(iteration, rate, *(others if changes else ()))

    def _count_steps(self, iteration: int) -> None:
        param, before, plateau = self.param, self.current_step, self.plateau
        if param.lr_policy == "step":  # for snapshots alone, which hold it as Caffe's do
            self.current_step = iteration // param.stepsize
        elif param.lr_policy == "multistep":
            self.current_step = next_step(param.stepvalue, iteration, before)
            if self.current_step != before:
                log.info(report.multistep(iteration, self.current_step))
        elif param.lr_policy == "plateau":
            self.current_step = plateau.next_step(param.plateau_winsize, iteration, before)
            if self.current_step != before:
                log.info(report.plateau_step(iteration, self.current_step))
            shown = param.display > 0 and iteration % param.display == 0
            if shown and plateau.since > iteration - param.display:
                log.info(report.plateau_best(iteration, plateau.best))

    @torch.no_grad()
    def update(self, rate: float, iteration: int) -> None:
        """Clip, average, decay and apply the gradients, in Caffe's order.

        Source: SGDSolver::ApplyUpdate in caffe/src/caffe/solvers/sgd_solver.cpp
        """
        gradients = [gradient for part in self._groups for gradient in part.gradients]
        if not gradients:
            return
        self._scale(gradients)
        for part in self._groups:
            before = [param.clone() for param in part.params] if self.leaves_updates else []
            self._move(part, rate, iteration)
            for gradient, old, param in zip(part.gradients, before, part.params, strict=False):
                torch.sub(old, param, out=gradient)  # whose memory a script may be looking at

    def _scale(self, gradients: list[Tensor]) -> None:
        """Clip the gradients, which are sums over iter_size batches, and make means of them."""
        limit = self.param.clip_gradients
        clipped = scale_down(gradients, limit, self.param.iter_size)
        if clipped is not None:
            norm, factor = clipped
            log.info(report.clipping(norm, limit, factor))

    def _move(self, part: Group, rate: float, iteration: int) -> None:
        numbers = self._numbers(rate, iteration)
        local = self._local_rate(part, rate, iteration)
        decay = weight_decay(self.param, iteration) * part.decay_mult
        if decay and self.param.regularization_type == "L1":
            add_l1(part.params, part.gradients, decay)
            decay = 0.0
        self.rule.update(
            part.params, part.gradients, *part.histories, rate=local, decay=decay, **numbers
        )

    def _local_rate(self, part: Group, rate: float, iteration: int) -> float:
        """The rate of a group: by its lr_mult, and with LARC by the norms of its one parameter."""
        if not self.param.larc:
            return rate * part.lr_mult
        eta = (1 - momentum(self.param, iteration, rate)) * self.param.larc_eta
        local = part.lr_mult * trust(part.params[0], part.gradients[0], eta)
        return min(rate, local) if self.param.larc_policy == "clip" else rate * local

    def _numbers(self, rate: float, iteration: int) -> dict[str, float]:
        """What the rule reads."""
        known = {"iteration": iteration, "momentum": momentum(self.param, iteration, rate)}
        return {
            name: known[name] if name in known else getattr(self.param, name)
            for name in self.rule.reads
        }
