from pathlib import Path

import pytest

from caffepy.graph.check_schedule import idle_fields
from caffepy.graph.check_solver import check_solver
from caffepy.proto import SolverParameter
from caffepy.proto.files import parse_text

FIXED = "base_lr: 0.1 lr_policy: 'fixed'"
PLATEAU = "base_lr: 0.1 lr_policy: 'plateau' gamma: 0.1"
STAGES = "lr_policy: 'multifixed'"


def told(text: str) -> list[str]:
    """What is told of a solver with these settings, each on a line of its own."""
    lines = "\n".join(["net_param { } max_iter: 10", *text.split("; ")])
    param, position = parse_text(lines.encode(), SolverParameter, "solver.prototxt")
    problems = check_solver(param, position, Path("solver.prototxt"))
    return [f"{p.severity} {p.where.removeprefix('solver.prototxt')} {p.text}" for p in problems]


@pytest.mark.parametrize(
    "text",
    [
        f"{PLATEAU} plateau_winsize: 5 plateau_winsize: 3",
        f"{PLATEAU} plateau_winsize: 5 plateau_output: 'loss' test_iter: 1 test_interval: 5",
        f"{STAGES} stagelr: 0.1 stagelr: 1 stageiter: 3 stageiter: 4",
        f"{FIXED} rampup_interval: 5 rampup_lr: 0.01 min_lr: 0.01",
        f"{FIXED} warmup_iter: 5 warmup_start_lr: 0.01",
        f"{FIXED} momentum_policy: 'poly' momentum: 0.5 max_momentum: 0.9 momentum_power: 2",
        f"{FIXED} momentum_policy: 'opt'",
        f"{FIXED} weight_decay_policy: 'poly' weight_decay_power: 1 max_weight_decay: 0.1",
        f"{FIXED} larc: true larc_policy: 'clip' larc_eta: 0.01",
    ],
)
def test_what_is_right(text: str) -> None:
    assert told(text) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{PLATEAU};plateau_winsize: 0", ":3:1 plateau_winsize is 0, must be 1 or more"),
        (f"{PLATEAU} plateau_winsize: 5;plateau_output: 'a'",
         ":3:1 plateau_output is an output of a test: set test_iter and test_interval"),
        (f"{PLATEAU} test_iter: 1 test_interval: 4 plateau_output: 'a';plateau_winsize: 9 plateau_winsize: 3",
         ":3:20 plateau_winsize is 3, and tests are 4 iterations apart: no test could better a "
         "step's best in time"),
        (f"{FIXED} test_iter: 1 test_interval: 4;plateau_output: 'a'",
         ":3:1 plateau_output is for lr_policy 'plateau', and lr_policy is 'fixed'"),
        (PLATEAU, ":2:14 plateau_winsize is missing: lr_policy 'plateau' needs it"),
        (f"{STAGES} stageiter: 5;stagelr: 1 stagelr: 2",
         ":3:1 stagelr is given 2 times and stageiter 1 times: give one each a stage"),
        (f"{STAGES} stagelr: 1 stagelr: 2;stageiter: 5 stageiter: 5",
         ":3:14 stageiter is 5 after 5: they must rise"),
        (f"{STAGES} stagelr: 1 stageiter: 5;rampup_interval: 2", " base_lr is missing"),
        (f"{FIXED};min_lr: -1", ":3:1 min_lr is -1, must be 0 or more"),
        (f"{FIXED};min_lr: inf", ":3:1 min_lr is inf, must be 0 or more"),
        (f"{FIXED} rampup_interval: 5;warmup_iter: 5",
         ":3:1 rampup_interval and warmup_iter are both set: the rate can rise in one way only"),
        (f"{FIXED};warmup_iter: -5", ":3:1 warmup_iter is -5, must be 0 or more"),
        (f"{FIXED};momentum_policy: 'ploy'",
         ":3:1 momentum_policy is 'ploy', must be one of fixed, poly, opt; did you mean 'poly'?"),
        (f"{FIXED} type: 'AdaGrad';momentum_policy: 'opt'",
         ":3:1 momentum_policy is 'opt', and AdaGrad has no momentum"),
        (f"{FIXED} momentum_policy: 'poly';max_momentum: 1",
         ":3:1 max_momentum is 1, must be 0 or more and below 1"),
        (f"{FIXED} max_weight_decay: 1;weight_decay_policy: 'poly'",
         ":3:1 weight_decay_power is missing: weight_decay_policy 'poly' needs it"),
        (f"{FIXED} larc: true;larc_policy: 'clipp'",
         ":3:1 larc_policy is 'clipp', must be one of scale, clip; did you mean 'clip'?"),
        (f"{FIXED} larc: true;larc_eta: 0", ":3:1 larc_eta is 0, must be above 0"),
        ("base_lr: 1;lr_policy: 'platau'",
         ":3:1 lr_policy is 'platau', must be one of fixed, step, exp, inv, multistep, poly, "
         "sigmoid, plateau, multifixed; did you mean 'plateau'?"),
    ],
)  # fmt: skip
def test_what_is_wrong(text: str, problem: str) -> None:
    assert told(text.replace(";", "; "))[0] == f"error {problem}"


@pytest.mark.parametrize(
    ("field", "partner"),
    [
        ("rampup_lr: 0.1", "rampup_interval"),
        ("warmup_start_lr: 0.1", "warmup_iter"),
        ("max_momentum: 0.9", "momentum_policy"),
        ("max_weight_decay: 0.1", "weight_decay_policy"),
        ("larc_eta: 0.1", "larc"),
    ],
)
def test_what_does_nothing_alone_is_a_warning(field: str, partner: str) -> None:
    name = field.partition(":")[0]
    text = f"{name} is set, but {partner} is not: it does nothing alone"
    assert told(f"{FIXED}; {field}") == [f"warning :3:1 {text}"]
    assert list(idle_fields(SolverParameter())) == []
