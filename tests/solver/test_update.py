from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from caffepy.errors import SolverError
from caffepy.net.params import Learnable
from caffepy.proto import ParamSpec, SolverParameter
from caffepy.solver.solver import Solver
from caffepy.solver.update import Updater, group
from tests.solver.tiny import bodies, listen, rows, write_training

Array = NDArray[np.float64]


def softmax_gradients(
    x: NDArray[np.float32], label: NDArray[np.int64], weight: Array, bias: Array
) -> tuple[Array, Array]:
    """Of the mean of -log p(label), by hand."""
    scores = np.exp(x @ weight.T + bias)
    wrong = scores / scores.sum(1, keepdims=True) - np.eye(3)[label]
    return wrong.T @ x / len(x), wrong.mean(0)


def naive_training(weight: Array, bias: Array, param: SolverParameter, count: int) -> Array:
    """Caffe's updates, parameter by parameter; 4 rows a batch, in order."""
    data, label = rows()
    params = [weight, bias]
    velocity = [np.zeros_like(w) for w in params]
    size = param.iter_size
    limit = param.clip_gradients if param.HasField("clip_gradients") else np.inf
    for iteration in range(count):
        gradients = [np.zeros_like(w) for w in params]
        for part in range(size):
            at = (4 * (iteration * size + part) + np.arange(4)) % len(data)
            added = softmax_gradients(data[at], label[at], *params)
            gradients = [total + new for total, new in zip(gradients, added, strict=True)]
        norm = np.sqrt(sum((g**2).sum() for g in gradients))
        shrink = min(1.0, limit / norm)
        drops = iteration // param.stepsize if param.HasField("stepsize") else 0
        rate = 0.2 * param.gamma**drops
        for i, (lr_mult, decay_mult) in enumerate([(1.5, 0.5), (2, 0)]):
            decay = 0.01 * decay_mult
            l1 = param.regularization_type == "L1"
            regular = np.sign(params[i]) if l1 else params[i]
            gradient = gradients[i] * shrink / size + decay * regular
            velocity[i] = param.momentum * velocity[i] + rate * lr_mult * gradient
            params[i] = params[i] - velocity[i]
    return np.concatenate([*map(np.ravel, params), *map(np.ravel, velocity)])


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param("", id="momentum, decay, multipliers"),
        pytest.param("momentum: 0", id="no momentum"),
        pytest.param("iter_size: 3", id="iter_size"),
        pytest.param("iter_size: 3 clip_gradients: 0.4", id="iter_size and clipping"),
        pytest.param('regularization_type: "L1"', id="L1"),
        pytest.param('lr_policy: "step" gamma: 0.1 stepsize: 3', id="rate drops"),
    ],
)
def test_updates_are_caffes(settings: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    solver = Solver(write_training(settings, shuffle=False, drop=""))
    weight, bias = (e.param.detach().double().numpy() for e in solver.net.learnable)

    solver.step(7)

    expected = naive_training(weight, bias, solver.param, 7)
    learned = [entry.param.detach() for entry in solver.net.learnable]
    got = torch.cat([tensor.flatten() for tensor in [*learned, *solver.updater.history]])
    np.testing.assert_allclose(got, expected, rtol=2e-4, atol=2e-6)


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
