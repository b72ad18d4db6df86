from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format

from caffepy.errors import SolverError
from caffepy.net.params import Learnable
from caffepy.proto import ParamSpec, SolverParameter
from caffepy.solver.solver import Solver
from caffepy.solver.update import Updater, group
from tests.solver.naive import naive_training
from tests.solver.tiny import blobs, bodies, listen, write_training

TYPES = {
    "SGD": "momentum: 0.9",
    "Nesterov": "momentum: 0.9",
    "AdaGrad": "momentum: 0 delta: 1e-3",
    "RMSProp": "momentum: 0 rms_decay: 0.9 delta: 1e-3",
    "AdaDelta": "momentum: 0.95 delta: 1e-3",
    "Adam": "momentum: 0.9 momentum2: 0.99 delta: 1e-3",
}
POLICIES = {
    "step": "gamma: 0.1 stepsize: 3",
    "exp": "gamma: 0.8",
    "inv": "gamma: 0.5 power: 0.75",
    "multistep": "gamma: 0.5 stepvalue: 2 stepvalue: 2 stepvalue: 5",
    "poly": "power: 0.5",
    "sigmoid": "gamma: -0.5 stepsize: 3",
}


def check(settings: str, count: int = 7) -> None:
    """Assert that a training with these settings ends where the naive one does."""
    solver = Solver(write_training(settings, shuffle=False, drop=""))
    weight, bias = (e.param.detach().double().numpy().copy() for e in solver.net.learnable)

    solver.step(count)

    expected = naive_training(weight, bias, solver.param, count)
    learned = [entry.param.detach() for entry in solver.net.learnable]
    got = torch.cat([tensor.flatten() for tensor in [*learned, *solver.updater.history]])
    np.testing.assert_allclose(got, expected, rtol=2e-4, atol=2e-6)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
def test_a_snapshot_has_the_step_of_the_last_update_under_step_too() -> None:
    solver = Solver(write_training('lr_policy: "step" gamma: 0.5 stepsize: 3'))
    steps = []
    for _ in range(8):
        solver.step(1)
        steps.append(solver.updater.current_step)
    assert steps == [0, 0, 0, 1, 1, 1, 2, 2]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param("", id="L2"),
        pytest.param("iter_size: 3", id="iter_size"),
        pytest.param("iter_size: 3 clip_gradients: 0.4", id="iter_size and clipping"),
        pytest.param('regularization_type: "L1"', id="L1"),
        pytest.param('regularization_type: "L1" iter_size: 2 clip_gradients: 0.3', id="all"),
        pytest.param("weight_decay: 0 average_loss: 3", id="no decay"),
    ],
)
def test_updates_of_each_type_are_caffes(kind: str, settings: str) -> None:
    check(f"type: '{kind}' base_lr: 0.05 {TYPES[kind]} {settings}")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("kind", ["SGD", "Nesterov", "Adam"])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_change_of_the_rate_reaches_what_is_carried_as_in_caffe(kind: str, policy: str) -> None:
    more = "clip_gradients: 0.6 iter_size: 2"
    check(f"type: '{kind}' {TYPES[kind]} lr_policy: '{policy}' {POLICIES[policy]} {more}")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("kind", ["SGD", "Nesterov", "RMSProp"])
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param("larc: true larc_eta: 0.5", id="LARC"),
        pytest.param("larc: true larc_eta: 0.05 larc_policy: 'clip'", id="LARC that clips"),
        pytest.param("larc: true larc_eta: 9 larc_policy: 'clip'", id="LARC that clips nothing"),
        pytest.param("larc: true iter_size: 2 clip_gradients: 0.3", id="LARC of what is clipped"),
        pytest.param(
            "weight_decay_policy: 'poly' max_weight_decay: 0.2 weight_decay_power: 0.5",
            id="decay that grows",
        ),
        pytest.param("rampup_interval: 4 rampup_lr: 0.01", id="rampup"),
        pytest.param("lr_policy: 'exp' gamma: 0.5 min_lr: 0.02", id="min_lr"),
    ],
)
def test_what_nvcaffe_adds(kind: str, settings: str) -> None:
    check(f"type: '{kind}' {TYPES[kind]} {settings}")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("kind", ["SGD", "Nesterov"])
@pytest.mark.parametrize("start", [0, 0.5])
def test_momentum_that_grows(kind: str, start: float) -> None:
    check(f"type: '{kind}' momentum: {start} momentum_policy: 'poly' max_momentum: 0.95")


def learnable(*multipliers: tuple[float, float]) -> list[Learnable]:
    """One parameter, a single 1, for each lr_mult and decay_mult."""
    entries = []
    for index, (lr_mult, decay_mult) in enumerate(multipliers):
        param = torch.nn.Parameter(torch.ones(1), requires_grad=lr_mult != 0)
        param.grad = torch.ones(1) if lr_mult else None
        spec = ParamSpec(lr_mult=lr_mult, decay_mult=decay_mult)
        entries.append(Learnable(param, spec, f"layer{index}", 0))
    return entries


def test_groups_hold_what_shares_rate_and_decay() -> None:
    entries = learnable((1, 1), (2, 0), (0, 1), (1, 1))
    history = [torch.full((1,), float(i)) for i in range(8)]

    groups = group(entries, history, slots=2)

    assert [(part.lr_mult, part.decay_mult) for part in groups] == [(1, 1), (2, 0)]
    assert [[h.item() for h in slot] for slot in groups[0].histories] == [[0, 3], [4, 7]]
    assert [[h.item() for h in slot] for slot in groups[1].histories] == [[1], [5]]


def test_each_parameter_may_be_a_group_apart() -> None:
    entries = learnable((1, 1), (2, 0), (0, 1), (1, 1))
    history = [torch.zeros(1) for _ in entries]

    groups = group(entries, history, slots=1, apart=True)

    assert [(len(part.params), part.lr_mult) for part in groups] == [(1, 1), (1, 2), (1, 1)]


def test_frozen_parameters_stay_and_keep_a_history_of_zeros() -> None:
    entries = learnable((0, 1), (1, 1))
    param = SolverParameter(base_lr=0.5, lr_policy="fixed", weight_decay=0.1, momentum=0.9)
    updater = Updater(param, entries)

    updater.update(updater.rate(0), 0)

    assert entries[0].param.item() == 1
    assert entries[1].param.item() == pytest.approx(1 - 0.5 * (1 + 0.1))
    assert [v.item() for v in updater.history] == pytest.approx([0, 0.55])


def test_a_net_without_parameters_updates_nothing() -> None:
    Updater(SolverParameter(base_lr=0.5, lr_policy="fixed", clip_gradients=1), []).update(0.5, 0)


def test_clipping_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    Updater(SolverParameter(clip_gradients=0.25), learnable((1, 1))).update(0.5, 0)
    assert bodies(caplog) == [
        "Gradient clipping: scaling down gradients (L2 norm 1 > 0.25) by scale factor 0.25"
    ]


def test_multistep_counts_and_logs(caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    param = SolverParameter(base_lr=1, lr_policy="multistep", gamma=0.5, stepvalue=[1, 3])
    updater = Updater(param, [])

    assert [updater.rate(iteration) for iteration in range(5)] == [1, 0.5, 0.5, 0.25, 0.25]
    assert bodies(caplog) == [
        "MultiStep Status: Iteration 1, step = 1",
        "MultiStep Status: Iteration 3, step = 2",
    ]


def test_plateau_counts_and_logs(caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    text = "base_lr: 1 lr_policy: 'plateau' gamma: 0.5 plateau_winsize: 2 display: 3"
    updater = Updater(text_format.Parse(text, SolverParameter()), [])
    rates = []
    for iteration, loss in enumerate([5, 4, 6, 6, 6, 1, 1]):
        updater.plateau.value = loss
        rates.append(updater.rate(iteration))

    assert rates == [1, 1, 1, 0.5, 0.5, 0.5, 0.5]
    assert bodies(caplog) == [
        "Plateau Status: Iteration 0, current minimum_loss = 5",
        "Plateau Status: Iteration 3, step = 1",
        "Plateau Status: Iteration 3, current minimum_loss = 4",
        "Plateau Status: Iteration 6, current minimum_loss = 1",
    ]


def test_no_step_is_made_while_the_rate_rises() -> None:
    text = "base_lr: 1 lr_policy: 'multistep' gamma: 0.5 stepvalue: 1 stepvalue: 2 warmup_iter: 3"
    updater = Updater(text_format.Parse(text, SolverParameter()), [])
    rates = [updater.rate(iteration) for iteration in range(6)]
    assert rates == pytest.approx([0, 1 / 3, 2 / 3, 0.5, 0.25, 0.25])


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ("", "Iteration 4, lr = 0.25"),
        ("momentum_policy: 'opt'", "Iteration 4, lr = 0.25, m = 0.5625, wd = 0.1"),
        (
            "weight_decay_policy: 'poly' weight_decay_power: 1 max_weight_decay: 0.3",
            "Iteration 4, lr = 0.25, m = 0.5, wd = 0.2",
        ),
    ],
)
def test_the_line_of_a_rate(settings: str, line: str) -> None:
    text = f"max_iter: 8 momentum: 0.5 weight_decay: 0.1 {settings}"
    assert Updater(text_format.Parse(text, SolverParameter()), []).line(4, 0.25) == line


def test_rate_that_is_no_number_is_refused() -> None:
    param = SolverParameter(base_lr=1, lr_policy="poly", power=0.5, max_iter=4)
    with pytest.raises(SolverError, match="iteration 5: lr_policy 'poly' gives the learning rate"):
        Updater(param, []).rate(5)


def test_with_snapshot_diff_the_deltas_are_left_where_the_gradients_were() -> None:
    entries = learnable((1, 0), (0, 0))
    updater = Updater(SolverParameter(momentum=0.9, snapshot_diff=True), entries)
    updater.update(0.5, 0)
    entries[0].param.grad = torch.ones_like(entries[0].param)

    updater.update(0.5, 1)

    assert entries[0].param.grad.item() == pytest.approx(0.5 * 0.9 + 0.5)
    assert entries[1].param.grad is None


DEEP = """
layer { name: "first" type: "InnerProduct" bottom: "data" top: "data2"
        param { lr_mult: 0 } param { lr_mult: 0 decay_mult: 3 }
        inner_product_param { num_output: 5 weight_filler { type: "xavier" }
                              bias_filler { value: 0.5 } } }
"""


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("forced", [False, True], ids=["", "force_backward"])
@pytest.mark.parametrize("kind", TYPES)
def test_what_is_frozen_stays_as_it_is(kind: str, forced: bool) -> None:
    path = write_training(f"type: '{kind}' {TYPES[kind]} weight_decay: 0.5 iter_size: 2", drop=DEEP)
    net = Path("net.prototxt")
    text = net.read_text().replace('bottom: "data" top: "ip"', 'bottom: "data2" top: "ip"')
    net.write_text(f"force_backward: {str(forced).lower()}\n{text}")
    solver = Solver(path)
    before = blobs(solver)

    solver.step(3)

    after = blobs(solver)
    assert [torch.equal(*pair) for pair in zip(before, after, strict=True)] == [
        True,
        True,
        False,
        False,
    ]
    gradients = [entry.param.grad is not None for entry in solver.net.learnable]
    assert gradients == [forced, forced, True, True]
    assert all(forced or not h.any() for h in solver.updater.history[:2])
