"""`caffepy classify`: what is printed, and what it asks for."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caffepy.cli.main import main
from caffepy.data.mean import write_mean
from caffepy.net.load import load_net
from caffepy.net.weights import write_weights

NET = """
layer { name: "in" type: "Input" top: "image" input_param { shape { dim: 1 dim: 1 dim: 2 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "image" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
"""
NEEDED = ["-model", "deploy.prototxt", "-weights", "net.caffemodel"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a net whose class k has k / 4 times the sum of the 4 pixels, images."""
    monkeypatch.chdir(tmp_path)
    Path("deploy.prototxt").write_text(NET)
    net = load_net("deploy.prototxt")
    weight, bias = (entry.param.data for entry in net.learnable)
    for k in range(3):
        weight[k] = k / 4
    bias.zero_()
    write_weights(net, "net.caffemodel")
    for name, level in (("dark", 0), ("light", 200)):
        Image.fromarray(np.full((2, 2), level, np.uint8)).save(f"{name}.png")
    Path("labels.txt").write_text("night\ndawn of day\nnoon\n")
    return tmp_path


def softmax(*scores: float) -> list[str]:
    """The probabilities of some scores, as they are printed."""
    total = sum(np.exp(score) for score in scores)
    return [f"{np.exp(score) / total:.4f}" for score in scores]


def test_prints_the_classes_of_each_image_best_first(capsys: pytest.CaptureFixture[str]) -> None:
    argv = [
        "classify",
        "light.png",
        "dark.png",
        *NEEDED,
        "-labels",
        "labels.txt",
        "-scale",
        "0.005",
    ]
    assert main(argv) == 0

    zero, one, two = softmax(0, 1, 2)
    (third,) = set(softmax(0, 0, 0))
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "---------- Prediction for light.png ----------",
        f'{two} - "noon"',
        f'{one} - "dawn of day"',
        f'{zero} - "night"',
        "---------- Prediction for dark.png ----------",
        f'{third} - "night"',
        f'{third} - "dawn of day"',
        f'{third} - "noon"',
    ]
    assert err == ""


def test_without_labels_classes_have_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", "light.png", *NEEDED, "-top", "1", "-mean_value", "100"]) == 0

    assert capsys.readouterr().out.splitlines()[1:] == ['1.0000 - "2"']


def test_images_dim_is_height_and_width(capsys: pytest.CaptureFixture[str]) -> None:
    """A bright frame of one pixel, which the crop to the centre leaves out."""
    framed = np.full((4, 6), 255, np.uint8)
    framed[1:3, 2:4] = 0
    Image.fromarray(framed).save("framed.png")

    assert main(["classify", "framed.png", *NEEDED, "-images_dim", "4,6", "-top", "1"]) == 0

    assert capsys.readouterr().out.splitlines()[1:] == [f'{softmax(0, 0, 0)[0]} - "0"']


def test_a_mean_file_is_subtracted_in_its_own_size(capsys: pytest.CaptureFixture[str]) -> None:
    """Frames of one pixel around the same centre, 4 above the mean of it."""
    image, mean = np.full((4, 6), 255, np.uint8), np.zeros((1, 4, 6))
    image[1:3, 2:4], mean[0, 1:3, 2:4] = 204, 200
    Image.fromarray(image).save("framed.png")
    write_mean(mean, "mean.binaryproto")
    flags = ["-mean_file", "mean.binaryproto", "-scale", "0.25", "-top", "1"]

    assert main(["classify", "framed.png", *NEEDED, *flags]) == 0

    assert capsys.readouterr().out.splitlines()[1:] == [f'{softmax(0, 1, 2)[2]} - "2"']


def test_a_mean_file_of_other_channels_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    write_mean(np.zeros((3, 2, 2)), "mean.binaryproto")

    assert main(["classify", "light.png", *NEEDED, "-mean_file", "mean.binaryproto"]) == 1

    assert "the mean in mean.binaryproto is 3x2x2, 'light.png' is 1x2x2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param(["light.png"], "-model FILE names its deploy prototxt", id="no model"),
        pytest.param(["light.png", *NEEDED[:2]], "-weights FILE names them", id="no weights"),
        pytest.param(NEEDED, "arguments are required: IMAGE", id="no image"),
        pytest.param(["a", *NEEDED, "-top", "0"], "--top is 0", id="nothing to print"),
        pytest.param(["a", *NEEDED, "-mean_value", "x"], "--mean-value takes numbers", id="mean"),
        pytest.param(
            ["a", *NEEDED, "-mean_value", "1", "-mean_file", "m"], "not both", id="two means"
        ),
        pytest.param(["a", *NEEDED, "-images_dim", "256"], "takes height,width", id="one size"),
        pytest.param(["a", *NEEDED, "-images_dim", "0,2"], "takes height,width", id="no size"),
    ],
)
def test_bad_usage(capsys: pytest.CaptureFixture[str], argv: list[str], message: str) -> None:
    assert main(["classify", *argv]) == 2

    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param(["none.png", *NEEDED], "'none.png': No such file", id="no such image"),
        pytest.param(["labels.txt", *NEEDED], "'labels.txt': not an image", id="no image"),
        pytest.param(
            ["light.png", *NEEDED, "-labels", "deploy.prototxt"],
            "deploy.prototxt: 4 labels, and the net has 3 classes",
            id="labels of another net",
        ),
        pytest.param(
            ["light.png", *NEEDED, "-labels", "none.txt"],
            "none.txt: cannot read the labels",
            id="no labels",
        ),
    ],
)
def test_fails(capsys: pytest.CaptureFixture[str], argv: list[str], message: str) -> None:
    assert main(["classify", *argv]) == 1

    out, err = capsys.readouterr()
    assert message in err
    assert out == ""
