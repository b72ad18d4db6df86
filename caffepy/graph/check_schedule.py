"""What can be said against the policies of Caffe's forks: rates, momentum, decay and LARC."""

import math
from collections.abc import Iterator, Sequence

from caffepy.graph.fields import set_fields
from caffepy.proto import SolverParameter

Complaint = tuple[str, *tuple[str | int, ...]]  # what is wrong, and the field to blame

# A field, and what it does nothing without.
PARTNERS = {
    "rampup_lr": "rampup_interval",
    "warmup_start_lr": "warmup_iter",
    "max_weight_decay": "weight_decay_policy",
    "weight_decay_power": "weight_decay_policy",
    "momentum_power": "momentum_policy",
    "max_momentum": "momentum_policy",
    "larc_policy": "larc",
    "larc_eta": "larc",
}
# The least that fields may be.
LEAST = {
    "min_lr": 0,
    "rampup_interval": 0,
    "rampup_lr": 0,
    "warmup_iter": 0,
    "warmup_start_lr": 0,
    "weight_decay_power": 0,
    "momentum_power": 0,
    "max_weight_decay": 0,
    "plateau_winsize": 1,
    "stageiter": 0,
}


def check_schedule(param: SolverParameter) -> Iterator[Complaint]:
    """All that is wrong with the fields that only forks of Caffe have, a line each."""
    yield from _check_numbers(param)
    yield from _check_stages(param)
    yield from _check_plateau(param)
    yield from _check_momentum(param)
    yield from _check_decay(param)
    if param.rampup_interval and param.warmup_iter:
        text = "rampup_interval and warmup_iter are both set: the rate can rise in one way only"
        yield text, "warmup_iter"


def idle_fields(param: SolverParameter) -> Iterator[Complaint]:
    """Those of these fields that do nothing, for want of another."""
    given = set_fields(param)
    for name, partner in PARTNERS.items():
        if name in given and partner not in given:
            yield f"{name} is set, but {partner} is not: it does nothing alone", name


def _check_numbers(param: SolverParameter) -> Iterator[Complaint]:
    for field, value in param.ListFields():
        least = LEAST.get(field.name, -math.inf)
        values: Sequence[float] = value if field.is_repeated else [value]
        for index, number in enumerate(values if field.name in LEAST else ()):
            if not least <= number < math.inf:
                text = f"{field.name} is {number:g}, must be {least} or more"
                yield text, field.name, index
    if not 0 < param.larc_eta < math.inf:
        yield f"larc_eta is {param.larc_eta:g}, must be above 0", "larc_eta"


def _check_stages(param: SolverParameter) -> Iterator[Complaint]:
    rates, ends = len(param.stagelr), len(param.stageiter)
    if rates != ends:
        text = f"stagelr is given {rates} times and stageiter {ends} times: give one each a stage"
        yield text, "stagelr" if rates else "stageiter"
    yield from _check_rising(param.stageiter, "stageiter")


def _check_rising(values: Sequence[int], name: str) -> Iterator[Complaint]:
    for index in range(1, len(values)):
        if values[index] <= values[index - 1]:
            text = f"{name} is {values[index]} after {values[index - 1]}: they must rise"
            yield text, name, index


def _check_plateau(param: SolverParameter) -> Iterator[Complaint]:
    if not param.HasField("plateau_output"):
        return
    if param.lr_policy != "plateau":
        text = f"plateau_output is for lr_policy 'plateau', and lr_policy is {param.lr_policy!r}"
        yield text, "plateau_output"
    if not param.test_iter or param.test_interval < 1:
        yield (
            "plateau_output is an output of a test: set test_iter and test_interval",
            ("plateau_output"),
        )
    for index, window in enumerate(param.plateau_winsize):
        if window < param.test_interval:
            text = (
                f"plateau_winsize is {window}, and tests are {param.test_interval} iterations apart"
            )
            yield f"{text}: no test could better a step's best in time", "plateau_winsize", index


def _check_momentum(param: SolverParameter) -> Iterator[Complaint]:
    if not 0 <= param.max_momentum < 1:
        text = f"max_momentum is {param.max_momentum:g}, must be 0 or more and below 1"
        yield text, "max_momentum"
    if param.momentum_policy != "fixed" and param.type in ("AdaGrad", "RMSProp"):
        text = f"momentum_policy is {param.momentum_policy!r}, and {param.type} has no momentum"
        yield text, "momentum_policy"


def _check_decay(param: SolverParameter) -> Iterator[Complaint]:
    given = set_fields(param)
    for name in ("max_weight_decay", "weight_decay_power"):
        if param.weight_decay_policy == "poly" and name not in given:
            yield f"{name} is missing: weight_decay_policy 'poly' needs it", "weight_decay_policy"
