import math

import pytest
import torch
from google.protobuf import text_format

from caffepy.proto import SolverParameter
from caffepy.solver import report


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.9003134, "0.900313"),
        (0.1, "0.1"),
        (1e-5, "1e-05"),
        (1234567.0, "1.23457e+06"),
        (100000.0, "100000"),
        (2.0, "2"),
        (0.0, "0"),
        (math.nan, "nan"),
        (-math.nan, "-nan"),
        (-math.inf, "-inf"),
    ],
)
def test_numbers_look_as_a_cpp_stream_writes_them(value: float, text: str) -> None:
    assert report.number(value) == text


def test_lines_of_a_display() -> None:
    assert report.train_loss(200, 0.3456789, 100, 0.5, 100) == (
        "Iteration 200 (200 iter/s, 0.5s/100 iters), loss = 0.345679"
    )
    assert report.rate(200, 0.00992565) == "Iteration 200, lr = 0.00992565"
    assert report.rate(2, 0.5, ("m", 0.9), ("wd", 5e-4)) == (
        "Iteration 2, lr = 0.5, m = 0.9, wd = 0.0005"
    )
    assert report.plateau_step(7, 2) == "Plateau Status: Iteration 7, step = 2"
    assert report.plateau_best(7, 0.3456789) == (
        "Plateau Status: Iteration 7, current minimum_loss = 0.345679"
    )
    assert report.final_loss(10, 0.8955191) == "Iteration 10, loss = 0.895519"
    assert report.multistep(5, 1) == "MultiStep Status: Iteration 5, step = 1"
    assert report.clipping(0.44, 0.3, 0.68181818) == (
        "Gradient clipping: scaling down gradients (L2 norm 0.44 > 0.3) by scale factor 0.681818"
    )


def test_every_number_of_every_output_has_its_line() -> None:
    tops = {
        "loss": torch.tensor(1.5),
        "per_class": torch.tensor([0.25, 0.5]),
        "inner": torch.zeros(9),
    }
    values = report.elements(["loss", "per_class"], tops)

    assert list(report.output_lines("Test", values, {"loss": 0.4})) == [
        "    Test net output #0: loss = 1.5 (* 0.4 = 0.6 loss)",
        "    Test net output #1: per_class = 0.25",
        "    Test net output #2: per_class = 0.5",
    ]


def test_lines_of_a_test() -> None:
    assert report.testing(500, 1) == "Iteration 500, Testing net (#1)"
    assert report.test_loss(0.03) == "Test loss: 0.03"


@pytest.mark.parametrize(
    ("nets", "train", "tests"),
    [
        ('net: "a"', "from net file: a", ["net file: a", "net file: a"]),
        ('train_net: "a" test_net: "b"', "from train_net file: a", ["test_net file: b"]),
        (
            'net_param { } test_net_param { } test_net: "b"',
            "specified in net_param.",
            ["test_net_param", "test_net file: b", "net_param"],
        ),
        ("train_net_param { }", "specified in train_net_param.", []),
    ],
)
def test_where_nets_come_from(nets: str, train: str, tests: list[str]) -> None:
    param = text_format.Parse(nets, SolverParameter())
    assert report.train_source(param) == f"Creating training net {train}"
    for index, source in enumerate(tests):
        line = f"Creating test net (#{index}) specified by {source}"
        assert report.test_source(param, index) == line
