"""`caffepy test`: its lines, and what it asks for."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from caffepy.cli.main import main
from caffepy.graph.load import load_graph
from caffepy.net.build import build_net
from caffepy.net.weights import write_weights
from caffepy.proto import TEST, NetState
from tests.cli.tiny import write_tiny


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a tiny net whose weights see only the class itself."""
    monkeypatch.chdir(tmp_path)
    write_tiny(tmp_path)
    net = build_net(load_graph("net.prototxt", NetState(phase=TEST)))
    weight, bias = (entry.param.data for entry in net.learnable)
    weight.zero_()[:3, :3].fill_diagonal_(4)
    bias.zero_()
    write_weights(net, "tiny.caffemodel")
    return tmp_path


def bodies(err: str) -> list[str]:
    """The log lines from the start of the scoring on, without their prefix."""
    lines = re.findall(r"^I\d{4} \S+ +\d+ \S+\] (.*)", err, re.MULTILINE)
    return lines[next(i for i, line in enumerate(lines) if line.startswith("Running")) :]


def expected_losses(batches: int) -> list[float]:
    """Softmax loss of the same weights, batch by batch of ten."""
    with h5py.File("data.h5") as file:
        data, labels = np.asarray(file["data"]), np.asarray(file["label"], int)
    losses = []
    for batch in range(batches):
        total = 0.0
        for row in range(10 * batch, 10 * batch + 10):
            scores = 4 * data[row, :3]
            total += np.log(np.exp(scores).sum()) - scores[labels[row]]
        losses.append(total / 10)
    return losses


def test_prints_every_batch_and_the_means(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["test", "-model", "net.prototxt", "-weights", "tiny.caffemodel", "-iterations", "3"]
    assert main(argv) == 0

    lines = bodies(capsys.readouterr().err)
    words = [re.sub(r"\d+\.\d+", "#", line) for line in lines]
    assert words == [
        "Running for 3 iterations.",
        *(f"Batch {i}, {name}" for i in range(3) for name in ("accuracy = 1", "loss = #")),
        "Loss: #",
        "accuracy = 1",
        "loss = # (* 1 = # loss)",
    ]
    numbers = [float(found) for found in re.findall(r"\d+\.\d+", "\n".join(lines))]
    losses = expected_losses(3)
    np.testing.assert_allclose(numbers[:3], losses, rtol=1e-5)
    np.testing.assert_allclose(numbers[3:], np.mean(losses), rtol=1e-5)


def test_runs_for_fifty_iterations_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    main(["test", "-model", "net.prototxt", "-weights", "tiny.caffemodel"])

    assert bodies(capsys.readouterr().err)[0] == "Running for 50 iterations."


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param([], "Need a model definition to score.", id="no model"),
        pytest.param(["-model", "net.prototxt"], "Need model weights to score.", id="no weights"),
        pytest.param(
            ["-model", "net.prototxt", "-weights", "tiny.caffemodel", "-iterations", "0"],
            "--iterations is 0, and must be at least 1",
            id="no iterations",
        ),
    ],
)
def test_bad_usage(capsys: pytest.CaptureFixture[str], argv: list[str], message: str) -> None:
    assert main(["test", *argv]) == 2

    assert message in capsys.readouterr().err


def test_weights_may_be_several_files(capsys: pytest.CaptureFixture[str]) -> None:
    both = "tiny.caffemodel,none.caffemodel"
    assert main(["test", "-model", "net.prototxt", "-weights", both]) == 1

    assert "none.caffemodel" in capsys.readouterr().err


def test_stages_and_level_reach_the_net(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    layer = 'layer { name: "x" type: "ReLU" bottom: "ip" top: "x" include { RULE } }'
    with (folder / "net.prototxt").open("a") as net:
        net.write(layer.replace("RULE", 'stage: "deep" min_level: 2'))
    argv = ["test", "-model", "net.prototxt", "-weights", "tiny.caffemodel", "-iterations", "1"]

    main([*argv, "-stage", "deep", "-level", "2"])
    with_flags = bodies(capsys.readouterr().err)
    main([*argv, "-stage", "deep"])
    without_level = bodies(capsys.readouterr().err)

    assert len(with_flags) > len(without_level)
    assert any(line.startswith("Batch 0, x = ") for line in with_flags)


def test_a_net_with_debug_info_shows_its_layers(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    text = (folder / "net.prototxt").read_text()
    (folder / "net.prototxt").write_text(f"debug_info: true\n{text}")

    argv = ["test", "-model", "net.prototxt", "-weights", "tiny.caffemodel", "-iterations", "2"]
    assert main(argv) == 0

    lines = bodies(capsys.readouterr().err)
    # 12 of 15 weights are 0, and 3 are 4.
    assert lines.count("    [Forward] Layer ip, param blob 0 data: 0.8") == 2
    assert not [line for line in lines if "[Backward]" in line]
