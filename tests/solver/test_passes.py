from pathlib import Path

import pytest
import torch

from caffepy.net.net import Net
from caffepy.solver.passes import forward_backward, run_test
from caffepy.solver.solver import Solver
from tests.solver.tiny import write_training


@pytest.fixture
def solver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Solver:
    monkeypatch.chdir(tmp_path)
    return Solver(write_training("test_iter: 3 test_interval: 9", shuffle=False, drop=""))


def gradients(net: Net) -> list[torch.Tensor]:
    return [entry.param.grad.clone() for entry in net.learnable if entry.param.grad is not None]


def test_an_iteration_is_a_mean_loss_and_a_sum_of_gradients(solver: Solver) -> None:
    net = solver.net
    losses, sums = [], []
    for _ in range(3):
        net.zero_diffs()
        losses.append(float(net.forward_backward()))
        sums.append(gradients(net))
    net.seek({"data": 0}, 0)
    net.zero_diffs()

    assert forward_backward(net, 3) == pytest.approx(sum(losses) / 3)
    for got, *parts in zip(gradients(net), *sums, strict=True):
        torch.testing.assert_close(got, sum(parts))


def test_a_test_is_the_means_of_its_batches(solver: Solver) -> None:
    (net,) = solver.test_nets
    losses = [float(net.evaluate()) for _ in range(3)]
    net.seek({"data": 0}, 0)

    means = run_test(net, 3, lambda: True)

    assert means is not None
    assert means.loss == pytest.approx(sum(losses) / 3)
    assert float(means.outputs["loss"]) == pytest.approx(means.loss)
    assert list(means.outputs) == ["accuracy", "loss"]


def test_a_test_that_is_told_to_stop_has_no_means(solver: Solver) -> None:
    (net,) = solver.test_nets
    answers = iter([True, True, False])

    assert run_test(net, 3, lambda: next(answers)) is None
    assert net.positions() == {"data": 2 * 7}
