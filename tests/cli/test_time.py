"""`caffepy time`: its lines, and what it asks for."""

import re
from pathlib import Path

import pytest

from caffepy.cli.main import main
from caffepy.graph.load import load_graph
from caffepy.net.build import build_net
from caffepy.net.weights import write_weights
from caffepy.proto import TRAIN, NetState
from tests.cli.tiny import write_tiny

MODEL = ["-model", "net.prototxt"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a tiny net, its data, and weights of zeros."""
    monkeypatch.chdir(tmp_path)
    write_tiny(tmp_path)
    net = build_net(load_graph("net.prototxt", NetState(phase=TRAIN)))
    for entry in net.learnable:
        entry.param.data.zero_()
    write_weights(net, "zeros.caffemodel")
    return tmp_path


def bodies(err: str) -> list[str]:
    """The log lines from the first forward on, without their prefix."""
    lines = re.findall(r"^I\d{4} \S+ +\d+ \S+\] (.*)", err, re.MULTILINE)
    return lines[lines.index("Performing Forward") :]


def layers(err: str) -> list[str]:
    """The names of the layers that times are told of."""
    return re.findall(r"\] +(\S+)\tforward: ", err)


def times(lines: list[str], what: str) -> list[float]:
    """The milliseconds in the lines that have these words."""
    return [float(line.split()[-2]) for line in lines if what in line]


def test_prints_caffes_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["time", *MODEL, "-iterations", "2"]) == 0

    err = capsys.readouterr().err
    assert [re.sub(r"\d+(\.\d+)?(e-\d+)?( ms)", r"#\3", line) for line in bodies(err)] == [
        "Performing Forward",
        bodies(err)[1],
        "Performing Backward",
        "*** Benchmark begins ***",
        "Testing for 2 iterations.",
        "Iteration: 1 forward-backward time: # ms.",
        "Iteration: 2 forward-backward time: # ms.",
        "Average time per layer: ",
        "      data\tforward: # ms.",
        "      data\tbackward: # ms.",
        "        ip\tforward: # ms.",
        "        ip\tbackward: # ms.",
        "      loss\tforward: # ms.",
        "      loss\tbackward: # ms.",
        "Average Forward pass: # ms.",
        "Average Backward pass: # ms.",
        "Average Forward-Backward: # ms.",
        "Total Time: # ms.",
        "*** Benchmark ends ***",
    ]
    assert re.fullmatch(r"Initial loss: \d\.\d+", bodies(err)[1])
    assert err.endswith("*** Benchmark ends ***\n")


def test_the_numbers_belong_together(capsys: pytest.CaptureFixture[str]) -> None:
    main(["time", *MODEL, "-iterations", "3"])

    lines = bodies(capsys.readouterr().err)
    (forward,), (backward,) = times(lines, "Forward pass"), times(lines, "Backward pass")
    (both,), (total,) = times(lines, "Average Forward-Backward"), times(lines, "Total")
    assert both == pytest.approx(forward + backward, rel=1e-4)
    assert total == pytest.approx(3 * both, rel=1e-4)
    assert total == pytest.approx(sum(times(lines, "Iteration: ")), rel=1e-4)
    assert 0 < sum(times(lines, "\tforward")) < forward
    assert 0 < sum(times(lines, "\tbackward")) < backward
    assert "      data\tbackward: 0 ms." in lines


def test_runs_fifty_iterations_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    main(["time", *MODEL])

    assert len(times(bodies(capsys.readouterr().err), "Iteration: ")) == 50


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        pytest.param([], ["data", "ip", "loss"], id="TRAIN by default"),
        pytest.param(["-phase", "TRAIN"], ["data", "ip", "loss"], id="TRAIN"),
        pytest.param(
            ["-phase", "TEST"],
            ["data", "label_data_1_split", "ip", "ip_ip_0_split", "accuracy", "loss"],
            id="TEST",
        ),
    ],
)
def test_phase(capsys: pytest.CaptureFixture[str], flags: list[str], names: list[str]) -> None:
    assert main(["time", *MODEL, "-iterations", "1", *flags]) == 0

    assert layers(capsys.readouterr().err) == names


def test_stages_and_level_reach_the_net(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    with (folder / "net.prototxt").open("a") as net:
        net.write(
            'layer { name: "x" type: "TanH" bottom: "ip" top: "x" '
            'include { stage: "deep" min_level: 2 } }'
        )
    main(["time", *MODEL, "-iterations", "1", "-stage", "deep", "-level", "2"])

    assert "x" in layers(capsys.readouterr().err)


def test_weights_are_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["time", *MODEL, "-iterations", "1", "-weights", "zeros.caffemodel"]) == 0

    err = capsys.readouterr().err
    assert "Weights from files: ip" in err
    assert "Initial loss: 1.09861" in err  # ln 3: all scores are equal


def test_missing_weights_are_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["time", *MODEL, "-weights", "zeros.cafemodel"]) == 1

    assert "did you mean 'zeros.caffemodel'?" in capsys.readouterr().err


def test_a_deploy_net_is_timed_on_zeros(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "deploy.prototxt").write_text(
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }'
        'layer { name: "tanh" type: "TanH" bottom: "data" top: "tanh" }'
    )
    assert main(["time", "-model", "deploy.prototxt", "-iterations", "1"]) == 0

    err = capsys.readouterr().err
    assert "Initial loss: 0" in err
    assert times(bodies(err), "\tbackward") == [0, 0]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param([], "Need a model definition to time.", id="no model"),
        pytest.param(
            [*MODEL, "-iterations", "0"], "--iterations is 0, and must be at least 1", id="none"
        ),
        pytest.param([*MODEL, "-phase", "train"], "invalid choice: 'train'", id="phase"),
    ],
)
def test_bad_usage(capsys: pytest.CaptureFixture[str], argv: list[str], message: str) -> None:
    assert main(["time", *argv]) == 2

    assert message in capsys.readouterr().err
