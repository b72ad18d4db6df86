import time
from pathlib import Path

import pytest
import torch

from caffepy.graph.load import load_graph
from caffepy.layers.layer import Source, SourceLayer
from caffepy.net.net import Net, Step
from caffepy.proto import TEST, LayerParameter, NetState
from caffepy.solver.profile import PASSES, UPDATE, Profile
from caffepy.solver.solver import Solver
from tests.solver.tiny import write_training

DATA, OTHER = "waiting for data", "other (tests, snapshots, log)"


class Late(SourceLayer):
    """Keeps those who read it waiting."""

    def __init__(self) -> None:
        param = LayerParameter(name="late", top=["x"])
        super().__init__(param, Source(False, torch.device("cpu"), seed=0))

    def read(self) -> tuple[torch.Tensor, ...]:
        time.sleep(0.02)
        return (torch.zeros(1),)


@pytest.fixture
def net(tmp_path: Path) -> Net:
    (tmp_path / "net.prototxt").write_text('layer { name: "x" type: "Input" top: "x" }')
    made = Net(load_graph(tmp_path / "net.prototxt", NetState(phase=TEST)), torch.device("cpu"))
    made.append(Late(), Step("late", (), ("x",), ()), [(1,)])
    return made


def iterate(profile: Profile, net: Net) -> None:
    """0.02 s for data, 0.04 s of passes, 0.06 s of update, 0.08 s of other things."""
    with profile.part(PASSES):
        net.read()
        time.sleep(0.04)
    with profile.part(UPDATE):
        time.sleep(0.06)
    time.sleep(0.08)
    profile.lap()


def test_tells_what_iterations_went_into_but_for_the_first(net: Net) -> None:
    profile = Profile(net)
    with profile.part(PASSES):
        time.sleep(0.3)
    profile.lap()

    for _ in range(3):
        iterate(profile, net)

    seconds = profile.seconds()
    assert profile.iterations == 3
    expected = {DATA: 0.02, PASSES: 0.04, UPDATE: 0.06, OTHER: 0.08}
    assert list(seconds) == list(expected)
    for name, least in expected.items():
        assert least <= seconds[name] < least + 0.05


def test_a_table_of_milliseconds_and_shares(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = Profile(net)
    profile.iterations = 7
    times = {DATA: 0.001, PASSES: 0.9, UPDATE: 0.05, OTHER: 0.049}
    monkeypatch.setattr(profile, "seconds", lambda: times)

    assert profile.table() == [
        "Mean of 7 iterations, after the first:",
        "waiting for data                    1.00 ms     0.1 %",
        "forward and backward              900.00 ms    90.0 %",
        "update                             50.00 ms     5.0 %",
        "other (tests, snapshots, log)      49.00 ms     4.9 %",
        "in all                           1000.00 ms   100.0 %",
    ]


def test_one_iteration_says_nothing(net: Net) -> None:
    profile = Profile(net)
    iterate(profile, net)

    assert profile.table() == [
        "No profile: the first iteration does not count, and there were no more."
    ]


def test_a_solver_measures_itself_and_learns_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_training("max_iter: 4 random_seed: 1")
    plain = Solver(path)
    plain.step(4)

    profiled = Solver(path)
    profiled.profile = Profile(profiled.net)
    profiled.step(4)

    seconds = profiled.profile.seconds()
    assert profiled.profile.iterations == 3
    assert all(value > 0 for value in seconds.values())
    for one, other in zip(plain.net.parameters(), profiled.net.parameters(), strict=True):
        assert torch.equal(one, other)
