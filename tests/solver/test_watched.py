from pathlib import Path

import pytest
import torch

from caffepy.errors import SolverError
from caffepy.graph.solver_nets import read_solver
from caffepy.solver.solver import Solver
from caffepy.solver.watched import Watched, is_score, watch
from tests.net.nets import graph_of
from tests.solver.tiny import write_training

PLATEAU = "lr_policy: 'plateau' gamma: 0.5 plateau_winsize: 9 test_interval: 5 test_iter: 1 "


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("output", "expected"),
    [("accuracy", True), ("loss", False), ("silent", False), ("score", True), ("gain", True)],
)
def test_losses_are_better_when_smaller_and_all_else_when_larger(
    output: str, expected: bool
) -> None:
    graph = graph_of("""
        layer { name: "x" type: "Input" top: "x" top: "y"
                input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } } }
        layer { name: "a" type: "Accuracy" bottom: "x" bottom: "y" top: "accuracy" }
        layer { name: "l" type: "SoftmaxWithLoss" bottom: "x" bottom: "y" top: "loss" }
        layer { name: "s" type: "SoftmaxWithLoss" bottom: "x" bottom: "y" top: "silent"
                loss_weight: 0 }
        layer { name: "g" type: "SoftmaxWithLoss" bottom: "x" bottom: "y" top: "gain"
                loss_weight: -1 }
        layer { name: "p" type: "Softmax" bottom: "x" top: "score" }
    """)

    assert is_score(graph, output) is expected


@pytest.mark.parametrize(
    ("settings", "field", "expected"),
    [
        pytest.param("", "plateau_output", None, id="nothing"),
        pytest.param(
            "plateau_output: 'accuracy'", "plateau_output", Watched("accuracy", 0, True), id="score"
        ),
        pytest.param("keep_best: 'loss'", "keep_best", Watched("loss", 0, False), id="loss"),
    ],
)
def test_a_field_names_the_output(settings: str, field: str, expected: Watched | None) -> None:
    file = read_solver(write_training(PLATEAU + settings))

    assert watch(file, field, Solver(file).test_nets) == expected


@pytest.mark.parametrize("field", ["plateau_output", "keep_best"])
def test_an_output_that_is_none_is_refused_with_its_place(field: str) -> None:
    file = read_solver(write_training(f"{PLATEAU} {field}: 'acuracy'"))

    text = (
        rf"^solver.prototxt:\d+:\d+: {field}: no test net has an output 'acuracy'; there are "
        r"accuracy, loss; did you mean 'accuracy'\?$"
    )
    with pytest.raises(SolverError, match=text):
        Solver(file)


def test_several_numbers_count_by_their_mean() -> None:
    watched = Watched("accuracy", 0, True)

    assert watched.value({"accuracy": torch.tensor([0.5, 0.25, 0.0])}) == 0.25
