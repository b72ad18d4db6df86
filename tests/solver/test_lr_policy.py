import math

import pytest
from google.protobuf import text_format

from caffepy.proto import SolverParameter
from caffepy.solver.lr_policy import (
    POLICIES,
    is_rising,
    learning_rate,
    momentum,
    next_step,
    weight_decay,
)


@pytest.mark.parametrize(
    ("policy", "settings", "expected"),
    [
        ("fixed", "", {0: 0.5, 100: 0.5}),
        ("step", "gamma: 0.5 stepsize: 3", {0: 0.5, 2: 0.5, 3: 0.25, 8: 0.125}),
        ("exp", "gamma: 0.5", {0: 0.5, 1: 0.25, 4: 0.03125}),
        ("inv", "gamma: 3 power: 0.5", {0: 0.5, 1: 0.25, 5: 0.125}),
        ("poly", "power: 2 max_iter: 8", {0: 0.5, 4: 0.125, 8: 0.0}),
        ("poly", "power: 0.5 max_iter: 4", {0: 0.5, 3: 0.25}),
        ("sigmoid", "gamma: -0.5 stepsize: 4", {4: 0.25, 0: 0.5 / (1 + math.exp(-2))}),
        ("sigmoid", "gamma: 9 stepsize: 100000", {0: 0.0, 200000: 0.5}),
        ("poly", "power: 2 max_iter: 8 min_lr: 0.25", {0: 0.5, 4: 0.3125, 8: 0.25}),
        (
            "multifixed",
            "stagelr: 4 stagelr: 2 stagelr: 1 stageiter: 3 stageiter: 5 stageiter: 6",
            {0: 4, 3: 4, 4: 2, 5: 2, 6: 1, 7: 1, 100: 1},
        ),
    ],
)
def test_rate(policy: str, settings: str, expected: dict[int, float]) -> None:
    param = text_format.Parse(f"base_lr: 0.5 {settings}", SolverParameter())

    rates = {iteration: POLICIES[policy](param, iteration, 0) for iteration in expected}

    assert rates == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("policy", ["multistep", "plateau"])
def test_these_rates_count_the_steps_made(policy: str) -> None:
    param = SolverParameter(base_lr=0.5, gamma=0.25)
    assert [POLICIES[policy](param, 1, step) for step in (0, 1, 2)] == [0.5, 0.125, 0.03125]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param("min_lr: 0.125", [0.5, 0.25, 0.125, 0.125, 0.125], id="min_lr"),
        pytest.param("rampup_interval: 2", [0, 0.125, 0.125, 0.0625, 0.03125], id="rampup"),
        pytest.param(
            "rampup_interval: 4 rampup_lr: 0.1",
            [0.1, 0.1 + 0.4 / 16, 0.1 + 0.4 / 4, 0.1 + 0.4 * 9 / 16, 0.03125],
            id="rampup from a rate",
        ),
        pytest.param("warmup_iter: 2", [0, 0.25, 0.125, 0.0625, 0.03125], id="warmup"),
        pytest.param(
            "warmup_iter: 4 warmup_start_lr: 0.1", [0.1, 0.2, 0.3, 0.4, 0.03125], id="from a rate"
        ),
        pytest.param(
            "warmup_iter: 2 min_lr: 0.07", [0, 0.25, 0.125, 0.07, 0.07], id="min_lr is the policy's"
        ),
    ],
)
def test_a_rise_comes_before_the_policy(settings: str, expected: list[float]) -> None:
    text = f"base_lr: 0.5 lr_policy: 'exp' gamma: 0.5 {settings}"
    param = text_format.Parse(text, SolverParameter())

    rates = [learning_rate(param, iteration, 0) for iteration in range(5)]

    assert rates == pytest.approx(expected)
    rising = max(param.rampup_interval, param.warmup_iter)
    assert [is_rising(param, iteration) for iteration in range(5)] == [i < rising for i in range(5)]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param("momentum: 0.5", [0.5, 0.5, 0.5], id="fixed"),
        pytest.param(
            "momentum: 0.5 momentum_policy: 'poly' max_momentum: 0.9", [0.5, 0.7, 0.9], id="poly"
        ),
        pytest.param(
            "momentum: 0.5 momentum_policy: 'poly' momentum_power: 2",
            [0.5, 0.5 + 0.49 / 4, 0.99],
            id="poly with a power",
        ),
        pytest.param("momentum_policy: 'opt' max_momentum: 0.75", [0.75, 0.75, 0.36], id="opt"),
    ],
)
def test_momentum(settings: str, expected: list[float]) -> None:
    param = text_format.Parse(f"max_iter: 8 {settings}", SolverParameter())
    rates = {0: 0.01, 4: 0.04, 8: 0.64}  # 1 - sqrt(0.64) / 2 is 0.6

    values = [momentum(param, iteration, rate) for iteration, rate in rates.items()]

    assert values == pytest.approx(expected)


def test_weight_decay() -> None:
    text = "max_iter: 8 weight_decay: 0.1 max_weight_decay: 0.5 weight_decay_power: 0.5"
    param = text_format.Parse(text, SolverParameter())
    assert [weight_decay(param, iteration) for iteration in (0, 2, 8)] == pytest.approx([0.1] * 3)

    param.weight_decay_policy = "poly"
    expected = [0.1, 0.3, 0.5]
    assert [weight_decay(param, iteration) for iteration in (0, 2, 8)] == pytest.approx(expected)


def test_multistep_passes_at_most_one_stepvalue_at_a_time() -> None:
    step, steps = 0, []
    for iteration in range(6):
        step = next_step([2, 2, 4], iteration, step)
        steps.append(step)
    assert steps == [0, 0, 1, 2, 3, 3]


@pytest.mark.parametrize(
    ("policy", "settings", "iteration"),
    [
        pytest.param("poly", "power: 0.5 max_iter: 4", 5, id="past max_iter"),
        pytest.param("poly", "power: 0.5 max_iter: 0", 0, id="no max_iter"),
        pytest.param("exp", "gamma: 10", 1000, id="overflow"),
    ],
)
def test_rate_without_a_value_is_not_finite(policy: str, settings: str, iteration: int) -> None:
    param = text_format.Parse(f"base_lr: 0.5 {settings}", SolverParameter())
    assert not math.isfinite(POLICIES[policy](param, iteration, 0))
