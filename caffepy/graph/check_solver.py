"""What can be said against a solver's message before any net is built or data read."""

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from caffepy.errors import near, near_file
from caffepy.graph.check_schedule import Complaint, check_schedule, idle_fields
from caffepy.graph.fields import set_fields
from caffepy.graph.problem import Problem
from caffepy.proto import SolverParameter
from caffepy.proto.position import Position

TRAIN_NETS = ("net", "net_param", "train_net", "train_net_param")
SOLVER_TYPES = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
WITHOUT_MOMENTUM = ("AdaGrad", "RMSProp")
# The fields each policy needs: Caffe takes them as 0 where they are not set.
POLICY_FIELDS = {
    "fixed": (),
    "step": ("gamma", "stepsize"),
    "exp": ("gamma",),
    "inv": ("gamma", "power"),
    "multistep": ("gamma", "stepvalue"),
    "poly": ("power",),
    "sigmoid": ("gamma", "stepsize"),
    "plateau": ("gamma", "plateau_winsize"),
    "multifixed": ("stagelr", "stageiter"),
}
WITH_FACTOR = ("step", "exp", "inv", "multistep", "plateau")  # whose gamma is raised to a power
POLICIES = ("lr_policy", "momentum_policy", "weight_decay_policy")
CHOICES = {
    "larc_policy": ("scale", "clip"),
    "momentum_policy": ("fixed", "poly", "opt"),
    "weight_decay_policy": ("fixed", "poly"),
    "lr_policy": tuple(POLICY_FIELDS),
    "regularization_type": ("L1", "L2"),
    "type": SOLVER_TYPES,
}
MINIMUM = {
    "average_loss": 1,
    "display": 0,
    "iter_size": 1,
    "keep_last": 0,
    "max_iter": 0,
    "snapshot": 0,
    "test_interval": 0,
    "test_iter": 0,
}


def check_solver(
    param: SolverParameter, position: Position, path: Path, *, stepped: bool = False
) -> list[Problem]:
    """All that is wrong with a solver read from `path`, whose type is said by `type`.

    stepped: a script makes its steps, and need not know of an end.
    """
    checks = (
        partial(_check_end, stepped=stepped),
        _check_values,
        _check_rates,
        check_schedule,
        _check_rule,
        _check_train_net,
        _check_test_nets,
    )
    problems = [
        Problem("error", str(position.at(*field)), text)
        for check in checks
        for text, *field in check(param)
    ]
    problems += [
        Problem("warning", str(position.at(*field)), text)
        for check in (idle_fields, _unread)
        for text, *field in check(param)
    ]
    problems += _check_paths(param, position, path)
    if param.test_interval > 0 and not count_test_nets(param):
        text = "test_interval is set, but test_iter is not: nothing is ever tested"
        problems.append(Problem("warning", str(position.at("test_interval")), text))
    return problems


def _check_end(param: SolverParameter, *, stepped: bool) -> Iterator[Complaint]:
    """When training ends; for single steps, only where a setting follows how far it is."""
    if param.HasField("max_iter"):
        return
    if not stepped:
        yield "max_iter is missing", "max_iter"
        return
    for name in POLICIES:
        if getattr(param, name) == "poly":
            yield f"max_iter is missing: {name} 'poly' needs it", name


def _check_values(param: SolverParameter) -> Iterator[Complaint]:
    """Single fields: there, one of the known names, within range."""
    given = {field.name: value for field, value in param.ListFields()}
    for name in ("base_lr", "lr_policy"):
        if name not in given and not (name == "base_lr" and _needs_no_base(param)):
            yield f"{name} is missing", name
    for name, known in CHOICES.items():
        if name in given and given[name] not in known:
            text = f"{name} is {given[name]!r}, must be one of {', '.join(known)}"
            yield text + near(given[name], known), name
    for name, least in MINIMUM.items():
        values = param.test_iter if name == "test_iter" else [given.get(name, least)]
        for index, value in enumerate(values):
            if value < least:
                yield f"{name} is {value:g}, must be {least} or more", name, index


def _needs_no_base(param: SolverParameter) -> bool:
    """Whether all rates come from elsewhere."""
    return param.lr_policy == "multifixed" and not (param.rampup_interval or param.warmup_iter)


def _check_rates(param: SolverParameter) -> Iterator[Complaint]:
    """The fields that the learning rate is computed from."""
    given = set_fields(param)
    for name in POLICY_FIELDS.get(param.lr_policy, ()):
        if name not in given:
            yield f"{name} is missing: lr_policy {param.lr_policy!r} needs it", "lr_policy"
    if param.lr_policy == "step" and "stepsize" in given and param.stepsize < 1:
        yield f"stepsize is {param.stepsize}, must be 1 or more", "stepsize"
    for name in ("base_lr", "gamma", "power"):
        if not math.isfinite(getattr(param, name)):
            yield f"{name} is {getattr(param, name):g}, must be a finite number", name
    if param.gamma < 0 and param.lr_policy in WITH_FACTOR:
        yield f"gamma is {param.gamma:g}, must be 0 or more", "gamma"


def _unread(param: SolverParameter) -> Iterator[Complaint]:
    """The fields of other policies than the solver's."""
    read = POLICY_FIELDS.get(param.lr_policy)
    others = dict.fromkeys(name for names in POLICY_FIELDS.values() for name in names)
    for name in set_fields(param):
        if read is not None and name in others and name not in read:
            yield f"{name} is set, but lr_policy {param.lr_policy!r} does not read it", name


def _check_rule(param: SolverParameter) -> Iterator[Complaint]:
    """The numbers of the update rule."""
    for name in ("momentum", "momentum2", "rms_decay"):
        value = getattr(param, name)
        if not 0 <= value < 1:
            yield f"{name} is {value:g}, must be 0 or more and below 1", name
    for name in ("delta", "weight_decay"):
        value = getattr(param, name)
        if not 0 <= value < math.inf:
            yield f"{name} is {value:g}, must be 0 or more", name
    if param.momentum and param.type in WITHOUT_MOMENTUM:
        text = f"Momentum cannot be used with {param.type}."
        yield f"{text} It is {param.momentum:g}; leave it out", "momentum"
    if param.clip_gradients == 0 or math.isnan(param.clip_gradients):
        text = f"clip_gradients is {param.clip_gradients:g}: no gradient would be left"
        yield f"{text}; give the largest norm allowed, or -1 for none", "clip_gradients"


def _check_train_net(param: SolverParameter) -> Iterator[Complaint]:
    """Exactly one net to train."""
    given = [name for name in TRAIN_NETS if param.HasField(name)]
    if not given:
        yield (f"no net to train: set one of {', '.join(TRAIN_NETS)}",)
    elif len(given) > 1:
        text = f"several nets to train: {', '.join(given)} are set; only one of them may be"
        yield text, given[1]


def _check_test_nets(param: SolverParameter) -> Iterator[Complaint]:
    """One test_iter a test net, and one test_state or none."""
    nets, iters = count_test_nets(param), len(param.test_iter)
    if nets != iters:
        yield f"test_iter is given {iters} times for {nets} test nets: give one each", "test_iter"
    if len(param.test_state) not in (0, nets):
        text = f"test_state is given {len(param.test_state)} times for {nets} test nets"
        yield f"{text}: give one each, or none", "test_state"
    if param.HasField("keep_best") and not nets:
        yield f"keep_best is {param.keep_best!r}, but no net is tested: set test_iter", "keep_best"
    if nets and param.test_interval == 0:
        yield "test_interval is missing or 0: with test nets it must be 1 or more", "test_interval"


def count_test_nets(param: SolverParameter) -> int:
    """How many nets are tested.

    Those for testing alone, and `net` or `net_param` once for each test_iter that is left.
    """
    own = len(param.test_net_param) + len(param.test_net)
    generic = param.HasField("net") or param.HasField("net_param")
    return max(own, len(param.test_iter)) if generic else own


def _check_paths(param: SolverParameter, position: Position, path: Path) -> Iterator[Problem]:
    """Net files that are not there, as paths from the current folder."""
    files = [(param.net, "net", 0), (param.train_net, "train_net", 0)]
    files += [(name, "test_net", index) for index, name in enumerate(param.test_net)]
    for name, field, index in files:
        if not name or Path(name).exists():
            continue
        text = f"{field} file {name!r} is not there, counted from the current folder, {Path.cwd()}"
        if (path.parent / name).exists():
            text += f"; it is beside the solver: run from {path.parent.resolve()}"
        else:
            text += near_file(Path(name))
        yield Problem("error", str(position.at(field, index)), text)
