import logging
import math
import re
from pathlib import Path

import pytest
import torch

from caffepy.proto import SolverParameter
from caffepy.solver.journal import Journal
from caffepy.solver.passes import Means
from caffepy.solver.solver import Solver
from tests.solver.tiny import bodies, listen, write_training


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_record_has_every_number_that_is_logged() -> None:
    settings = "display: 2 max_iter: 2 test_iter: 1 test_interval: 2 test_compute_loss: true"
    solver = Solver(write_training(settings, drop=""))
    heard: list[tuple[str, int, list[str]]] = []
    solver.journal.record = lambda group, iteration, values: heard.append(
        (group, iteration, [name for name, value in values if math.isfinite(value)])
    )

    solver.solve()

    assert heard == [
        ("", 0, ["test_loss"]),
        ("test", 0, ["accuracy", "loss"]),
        ("", 0, ["loss"]),
        ("train", 0, ["loss"]),
        ("", 0, ["lr"]),
        ("", 2, ["loss"]),
        ("", 2, ["test_loss"]),
        ("test", 2, ["accuracy", "loss"]),
    ]


def test_test_nets_have_their_losses_before_their_outputs(caplog: pytest.LogCaptureFixture) -> None:
    path = write_training("test_iter: 1 test_iter: 1 test_interval: 1")
    net = Solver(path).test_nets[1]
    journal = Journal(SolverParameter(test_compute_loss=True))
    heard: list[object] = []
    journal.record = lambda *entry: heard.append(entry)
    means = Means(1.5, {"accuracy": torch.tensor(0.25), "loss": torch.tensor(1.5)})
    listen(caplog)

    journal.test(30, 1, net, means)

    assert bodies(caplog) == [
        "Test loss: 1.5",
        "    Test net output #0: accuracy = 0.25",
        "    Test net output #1: loss = 1.5 (* 1 = 1.5 loss)",
    ]
    assert heard == [
        ("", 30, [("test_1_loss", 1.5)]),
        ("test_1", 30, [("accuracy", 0.25), ("loss", 1.5)]),
    ]


def test_a_display_counts_from_the_last(caplog: pytest.LogCaptureFixture) -> None:
    net = Solver(write_training()).net
    net.forward_backward()
    journal = Journal(SolverParameter(display=5))
    caplog.set_level(logging.INFO, logger="caffepy.solver.journal")

    journal.begin(20)
    journal.display(20, 0.5, net)
    journal.display(25, 0.5, net)

    shown = [line for line in caplog.messages if line.startswith("Iteration")]
    for line, passes in zip(shown, [1, 5], strict=True):
        found = re.search(r"\((\S+) iter/s, (\S+)s/5 iters\), loss = 0.5$", line)
        assert found
        assert float(found[1]) * float(found[2]) == pytest.approx(passes, rel=1e-4)
