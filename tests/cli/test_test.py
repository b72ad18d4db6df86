"""`caffepy test`: its lines, and what it asks for."""

import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from caffepy.cli.main import main
from caffepy.data.datum import to_datum
from caffepy.graph.load import load_graph
from caffepy.net.build import build_net
from caffepy.net.weights import write_weights
from caffepy.proto import TEST, NetState
from tests.cli.tiny import write_tiny
from tests.data.databases import write_datums


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


IMAGES = """
layer { name: "in" type: "Data" top: "data" top: "label"
  transform_param { crop_size: 4 mirror: true scale: 0.01 }
  data_param { source: "db" batch_size: 5 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 3 } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


def test_ten_crops_are_scored_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 6, 7, 3)).astype(np.uint8)
    labels = [0, 2, 1, 1, 0]
    write_datums(Path("db"), [to_datum(*pair) for pair in zip(images, labels, strict=True)])
    Path("images.prototxt").write_text(IMAGES)
    net = build_net(load_graph("images.prototxt", NetState(phase=TEST)))
    weight, bias = (entry.param.data for entry in net.learnable)
    weight.copy_(torch.from_numpy(rng.normal(size=(3, 48))))
    bias.copy_(torch.tensor([0.5, -0.5, 0]))
    write_weights(net, "images.caffemodel")

    argv = ["test", "-model", "images.prototxt", "-weights", "images.caffemodel", "--ten-crop"]
    assert main([*argv, "-iterations", "1"]) == 0

    means = []
    for image in images:
        crops = [image[top : top + 4, left : left + 4] for top in (0, 2) for left in (0, 3)]
        crops.append(image[1:5, 1:5])
        crops += [crop[:, ::-1] for crop in crops]
        vectors = np.stack([crop.transpose(2, 0, 1).ravel() * 0.01 for crop in crops])
        scores = np.exp(vectors @ weight.numpy().T + bias.numpy())
        means.append((scores / scores.sum(axis=1, keepdims=True)).mean(axis=0))
    accuracy = np.mean([mean.argmax() == label for mean, label in zip(means, labels, strict=True)])
    loss = np.mean([-np.log(mean[label]) for mean, label in zip(means, labels, strict=True)])
    lines = bodies(capsys.readouterr().err)
    assert lines[-2] == f"accuracy = {accuracy:g}"
    assert float(lines[-3].removeprefix("Loss: ")) == pytest.approx(loss, rel=1e-4)


def test_ten_crops_need_a_crop_size(capsys: pytest.CaptureFixture[str]) -> None:
    write_datums(Path("db"), [to_datum(np.zeros((6, 7, 3), np.uint8), 0)])
    Path("images.prototxt").write_text(IMAGES.replace("crop_size: 4", ""))

    argv = ["test", "-model", "images.prototxt", "-weights", "tiny.caffemodel", "--ten-crop"]
    assert main(argv) == 1

    assert "ten_crop needs crop_size, or crop_h and crop_w" in capsys.readouterr().err
