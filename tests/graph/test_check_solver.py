from pathlib import Path

import pytest

from caffepy.graph.check_solver import check_solver
from caffepy.graph.problem import Problem
from caffepy.proto import SolverParameter
from caffepy.proto.files import parse_text

NET = "net_param { }"
RATE = "base_lr: 0.1 lr_policy: 'fixed'"
END = "max_iter: 10"


def problems(
    text: str, path: Path = Path("solver.prototxt"), *, stepped: bool = False
) -> list[Problem]:
    param, position = parse_text(text.encode(), SolverParameter, "solver.prototxt")
    return check_solver(param, position, path, stepped=stepped)


def messages(text: str) -> list[str]:
    """The errors, without their places."""
    found = problems(text)
    assert {problem.severity for problem in found} <= {"error"}
    return [problem.text for problem in found]


def test_the_least_solver_is_fine() -> None:
    assert problems(f"{NET} {RATE} {END}") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("average_loss: 0", "average_loss is 0, must be 1 or more"),
        ("iter_size: 0", "iter_size is 0, must be 1 or more"),
        ("display: -1", "display is -1, must be 0 or more"),
        ("keep_last: -1", "keep_last is -1, must be 0 or more"),
        ("keep_best: 'accuracy'", "keep_best is 'accuracy', but no net is tested: set test_iter"),
        ("snapshot: -5", "snapshot is -5, must be 0 or more"),
        ("test_interval: -2", "test_interval is -2, must be 0 or more"),
        ("test_iter: -1 test_interval: 1", "test_iter is -1, must be 0 or more"),
        ("clip_gradients: 0", "clip_gradients is 0: no gradient would be left; give the largest "
         "norm allowed, or -1 for none"),
        ("momentum: 1", "momentum is 1, must be 0 or more and below 1"),
        ("momentum: -0.5", "momentum is -0.5, must be 0 or more and below 1"),
        ("momentum: nan", "momentum is nan, must be 0 or more and below 1"),
        ("regularization_type: 'l2'",
         "regularization_type is 'l2', must be one of L1, L2; did you mean 'L2'?"),
        ("type: 'adam'", "type is 'adam', must be one of SGD, Nesterov, AdaGrad, RMSProp, AdaDelta, Adam; did you mean 'Adam'?"),
        ("type: 'SGDD'", "type is 'SGDD', must be one of SGD, Nesterov, AdaGrad, RMSProp, AdaDelta, Adam; did you mean 'SGD'?"),
        ("delta: -1", "delta is -1, must be 0 or more"),
        ("weight_decay: nan", "weight_decay is nan, must be 0 or more"),
        ("train_net: '/'", "several nets to train: net_param, train_net are set; "
         "only one of them may be"),
        ("type: 'RMSProp' momentum: 0.9", "Momentum cannot be used with RMSProp. It is 0.9; leave it out"),
        ("type: 'RMSProp' rms_decay: 1", "rms_decay is 1, must be 0 or more and below 1"),
        ("type: 'Adam' momentum2: 2", "momentum2 is 2, must be 0 or more and below 1"),
        ("test_iter: 5", "test_interval is missing or 0: with test nets it must be 1 or more"),
        ("test_net_param { } test_interval: 2",
         "test_iter is given 0 times for 1 test nets: give one each"),
        ("test_iter: 1 test_interval: 2 test_state { } test_state { }",
         "test_state is given 2 times for 1 test nets: give one each, or none"),
    ],
)  # fmt: skip
def test_one_wrong_setting(text: str, message: str) -> None:
    assert messages(f"{NET} {RATE} {END} {text}")[:1] == [message]


@pytest.mark.parametrize(
    "text",
    [
        "clip_gradients: -1",
        "clip_gradients: 35",
        "momentum: 0.9",
        "regularization_type: 'L1'",
        "type: 'SGD'",
        "keep_last: 3",
        "keep_best: 'loss' test_iter: 1 test_interval: 5",
        "test_iter: 0 test_interval: 5",
        "test_iter: 3 test_iter: 4 test_interval: 5 test_state { } test_state { level: 1 }",
        "test_net_param { } test_iter: 1 test_iter: 2 test_interval: 3",
    ],
)
def test_one_right_setting(text: str) -> None:
    assert problems(f"{NET} {RATE} {END} {text}") == []


def test_without_a_net_for_both_there_is_one_test_iter_a_test_net() -> None:
    text = f"train_net_param {{ }} test_net_param {{ }} test_interval: 1 {RATE} {END}"
    assert messages(f"{text} test_iter: 1") == []
    assert messages(f"{text} test_iter: 1 test_iter: 2") == [
        "test_iter is given 2 times for 1 test nets: give one each"
    ]


@pytest.mark.parametrize(
    ("policy", "fields"),
    [
        ("fixed", []),
        ("step", ["gamma: 0.1", "stepsize: 5"]),
        ("exp", ["gamma: 0.1"]),
        ("inv", ["gamma: 0.1", "power: 0.75"]),
        ("multistep", ["gamma: 0.1", "stepvalue: 5"]),
        ("poly", ["power: 1"]),
        ("sigmoid", ["gamma: -0.1", "stepsize: 5"]),
    ],
)
def test_a_policy_needs_its_fields(policy: str, fields: list[str]) -> None:
    text = f"{NET} {END} base_lr: 1 lr_policy: '{policy}'"
    assert messages(f"{text} {' '.join(fields)}") == []
    assert messages(text) == [
        f"{field.partition(':')[0]} is missing: lr_policy '{policy}' needs it" for field in fields
    ]


def test_step_needs_a_positive_stepsize() -> None:
    text = f"{NET} {END} base_lr: 1 lr_policy: 'step' gamma: 0.1 stepsize: 0"
    assert messages(text) == ["stepsize is 0, must be 1 or more"]


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        ("base_lr: 1e40 lr_policy: 'fixed'", "base_lr is inf, must be a finite number"),
        (
            "base_lr: 1 lr_policy: 'inv' gamma: 1 power: nan",
            "power is nan, must be a finite number",
        ),
        ("base_lr: 1 lr_policy: 'exp' gamma: -0.5", "gamma is -0.5, must be 0 or more"),
    ],
)
def test_a_rate_is_made_of_numbers(rate: str, message: str) -> None:
    assert messages(f"{NET} {END} {rate}") == [message]


def test_an_unknown_policy() -> None:
    assert messages(f"{NET} {END} base_lr: 1 lr_policy: 'stp'") == [
        "lr_policy is 'stp', must be one of fixed, step, exp, inv, multistep, poly, sigmoid, "
        "plateau, multifixed; did you mean 'step'?"
    ]


def test_everything_missing_is_told_at_once() -> None:
    assert [str(problem) for problem in problems("iter_size: 2\ndisplay: -1")] == [
        "solver.prototxt: max_iter is missing",
        "solver.prototxt: base_lr is missing",
        "solver.prototxt: lr_policy is missing",
        "solver.prototxt:2:1: display is -1, must be 0 or more",
        "solver.prototxt: no net to train: set one of net, net_param, train_net, train_net_param",
    ]


def test_single_steps_need_no_end_unless_a_policy_counts_on_it() -> None:
    fine = f"{NET} {RATE}"
    assert [each.text for each in problems(fine)] == ["max_iter is missing"]
    assert problems(fine, stepped=True) == []
    poly = f"{NET} base_lr: 1 lr_policy: 'poly' power: 2"
    assert [each.text for each in problems(poly, stepped=True)] == [
        "max_iter is missing: lr_policy 'poly' needs it"
    ]


def test_a_value_of_a_list_is_found_in_its_place() -> None:
    text = f"{NET} {RATE} {END} test_interval: 1\ntest_iter: 2 test_iter: -3"
    assert [problem.where for problem in problems(text)] == ["solver.prototxt:2:14"]


def test_test_interval_without_test_iter_is_a_warning() -> None:
    (problem,) = problems(f"{NET} {RATE} {END}\ntest_interval: 5")
    assert problem == Problem(
        "warning",
        "solver.prototxt:2:1",
        "test_interval is set, but test_iter is not: nothing is ever tested",
    )


def test_a_net_file_that_is_beside_the_solver_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (there / "net.prototxt").write_text("")
    monkeypatch.chdir(here)
    text = f"{RATE} {END} test_iter: 1 test_interval: 1 train_net: 'net.prototxt'\ntest_net: 'no'"
    first, second = problems(text, Path("../there/solver.prototxt"))
    assert first.text == (
        "train_net file 'net.prototxt' is not there, counted from the current folder, "
        f"{here}; it is beside the solver: run from {there}"
    )
    assert str(second) == (
        f"solver.prototxt:2:1: test_net file 'no' is not there, counted from the current folder, {here}"
    )
    monkeypatch.chdir(there)
    (there / "no").write_text("")
    assert problems(text, Path("solver.prototxt")) == []


def test_a_misspelt_net_file_has_near_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("nets").mkdir()
    Path("nets/lenet.prototxt").touch()
    (problem,) = problems(f"{RATE} {END} net: 'nets/lenet.prototx'")
    assert problem.text.endswith(f", {tmp_path}; did you mean 'lenet.prototxt'?")


def test_a_field_of_another_policy_is_told_of() -> None:
    rate = "base_lr: 0.1 lr_policy: 'step' gamma: 0.1 stepsize: 5 stepvalue: 3 power: 2"

    found = problems(f"{NET} {rate} {END}")

    assert [(problem.severity, problem.text) for problem in found] == [
        ("warning", "power is set, but lr_policy 'step' does not read it"),
        ("warning", "stepvalue is set, but lr_policy 'step' does not read it"),
    ]
    assert found[0].where == "solver.prototxt:1:82"
