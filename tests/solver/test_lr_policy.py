import math

import pytest
from google.protobuf import text_format

from caffepy.proto import SolverParameter
from caffepy.solver.lr_policy import POLICIES, next_step


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
    ],
)
def test_rate(policy: str, settings: str, expected: dict[int, float]) -> None:
    param = text_format.Parse(f"base_lr: 0.5 {settings}", SolverParameter())

    rates = {iteration: POLICIES[policy](param, iteration, 0) for iteration in expected}

    assert rates == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_multistep_rate_counts_the_steps_passed() -> None:
    param = SolverParameter(base_lr=0.5, gamma=0.25)
    assert [POLICIES["multistep"](param, 1, step) for step in (0, 1, 2)] == [0.5, 0.125, 0.03125]


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
