"""What an update rule is, and the table of them by the name that a solver's `type` gives."""

from collections.abc import Callable
from typing import NamedTuple

from caffepy.solver.rules.adadelta import adadelta
from caffepy.solver.rules.adagrad import adagrad
from caffepy.solver.rules.adam import adam
from caffepy.solver.rules.nesterov import nesterov
from caffepy.solver.rules.rmsprop import rmsprop
from caffepy.solver.rules.sgd import sgd


class Rule(NamedTuple):
    """How a solver type moves its parameters.

    slots: how many history blobs it keeps for each parameter.
    reads: what `update` takes as keyword arguments: fields of SolverParameter, and `iteration`.
    update: update(params, gradients, *histories, rate=, decay=, **fields) moves the parameters and
        their histories in place. All of them share one local rate and one L2 weight decay, which
        is added to the gradient first; a history is a list of tensors, one a parameter.
    """

    slots: int
    reads: tuple[str, ...]
    update: Callable[..., None]


RULES: dict[str, Rule] = {
    "SGD": Rule(slots=1, reads=("momentum",), update=sgd),
    "Nesterov": Rule(slots=1, reads=("momentum",), update=nesterov),
    "AdaGrad": Rule(slots=1, reads=("delta",), update=adagrad),
    "RMSProp": Rule(slots=1, reads=("rms_decay", "delta"), update=rmsprop),
    "AdaDelta": Rule(slots=2, reads=("momentum", "delta"), update=adadelta),
    "Adam": Rule(slots=2, reads=("momentum", "momentum2", "delta", "iteration"), update=adam),
}
