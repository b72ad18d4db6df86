"""From image files to scores: colours, size, mean, scale, crop."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from caffepy.cli.classifier import Classifier
from caffepy.errors import DataError, LayerError, NetError
from caffepy.net.load import load_net
from caffepy.net.net import Net
from caffepy.proto import BlobProto, BlobShape, TransformationParameter
from tests.cli.tiny import write_tiny

INPUT = 'layer { name: "in" type: "Input" top: "%s" input_param { shape { %s } } }\n'
SCORES = """
layer { name: "ip" type: "InnerProduct" bottom: "image" top: "scores"
  inner_product_param { num_output: 2 bias_term: false weight_filler { type: "xavier" } } }
"""


def make_net(folder: Path, *shape: int, layers: str = SCORES) -> Net:
    """A net over one input."""
    path = folder / "deploy.prototxt"
    path.write_text(INPUT % ("image", " ".join(f"dim: {size}" for size in shape)) + layers)
    return load_net(path)


def save(path: Path, pixels: NDArray[np.uint8]) -> str:
    """An image file (H, W, RGB) or (H, W)."""
    Image.fromarray(pixels).save(path)
    return str(path)


def random_image(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 256, shape, np.uint8)


def expected_scores(net: Net, planes: NDArray[Any]) -> NDArray[Any]:
    """Of one input (C, H, W), by the sum over all its numbers."""
    weight = net.learnable[0].param.detach().numpy().astype(float)
    scores = np.zeros(2)
    for k, row in enumerate(weight):
        for index, value in enumerate(planes.ravel()):
            scores[k] += row[index] * value
    return scores


@pytest.mark.parametrize(
    ("rgb", "order"),
    [pytest.param(False, (2, 1, 0), id="bgr"), pytest.param(True, (0, 1, 2), id="rgb")],
)
def test_subtracts_the_mean_scales_and_orders_the_channels(
    tmp_path: Path, rgb: bool, order: tuple[int, ...]
) -> None:
    net = make_net(tmp_path, 1, 3, 4, 5)
    image = random_image(4, 5, 3)
    param = TransformationParameter(scale=0.5, mean_value=[10, 20, 30])
    planes = np.empty((3, 4, 5))
    for c, y, x in np.ndindex(3, 4, 5):
        planes[c, y, x] = (float(image[y, x, order[c]]) - (10, 20, 30)[c]) * 0.5

    scores = Classifier(net, param, rgb=rgb).scores([save(tmp_path / "a.png", image)])

    np.testing.assert_allclose(scores[0], expected_scores(net, planes), rtol=1e-4)


def test_takes_many_images_at_once(tmp_path: Path) -> None:
    net = make_net(tmp_path, 1, 3, 4, 5)
    classifier = Classifier(net, TransformationParameter())
    paths = [
        save(tmp_path / f"{level}.png", np.full((4, 5, 3), level, np.uint8)) for level in (9, 99, 3)
    ]

    together = classifier.scores(paths)

    assert together.shape == (3, 2)
    for path, scores in zip(paths, together, strict=True):
        torch.testing.assert_close(classifier.scores([path])[0], scores)


def test_a_net_of_one_channel_sees_grey(tmp_path: Path) -> None:
    net = make_net(tmp_path, 1, 1, 4, 5)
    image = random_image(4, 5)

    scores = Classifier(net, TransformationParameter()).scores([save(tmp_path / "a.png", image)])

    np.testing.assert_allclose(scores[0], expected_scores(net, image), rtol=1e-4)


def test_resizes_to_the_input(tmp_path: Path) -> None:
    net = make_net(tmp_path, 1, 1, 4, 5)
    path = save(tmp_path / "a.png", np.full((9, 17), 77, np.uint8))

    scores = Classifier(net, TransformationParameter()).scores([path])

    np.testing.assert_allclose(scores[0], expected_scores(net, np.full((4, 5), 77)), rtol=1e-4)


def test_crops_the_centre_of_a_larger_size(tmp_path: Path) -> None:
    net = make_net(tmp_path, 1, 1, 4, 5)
    image = random_image(7, 8)

    classifier = Classifier(net, TransformationParameter(), (7, 8))
    scores = classifier.scores([save(tmp_path / "a.png", image)])

    np.testing.assert_allclose(scores[0], expected_scores(net, image[1:5, 1:6]), rtol=1e-4)


def test_a_mean_file_gives_the_size_and_is_cropped_too(tmp_path: Path) -> None:
    net = make_net(tmp_path, 1, 1, 4, 5)
    image, mean = random_image(6, 7), np.arange(42.0).reshape(6, 7)
    blob = BlobProto(shape=BlobShape(dim=[1, 6, 7]), data=mean.ravel())
    (tmp_path / "mean.binaryproto").write_bytes(blob.SerializeToString())
    param = TransformationParameter(mean_file=str(tmp_path / "mean.binaryproto"))

    scores = Classifier(net, param).scores([save(tmp_path / "a.png", image)])

    np.testing.assert_allclose(scores[0], expected_scores(net, (image - mean)[1:5, 1:6]), rtol=1e-4)


def test_refuses_a_size_smaller_than_the_input(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"images of 7x4 are too small .* the net's 4x5"):
        Classifier(make_net(tmp_path, 1, 1, 4, 5), TransformationParameter(), (7, 4))


def test_refuses_a_wrong_number_of_means(tmp_path: Path) -> None:
    net = make_net(tmp_path, 1, 3, 4, 5)
    path = save(tmp_path / "a.png", random_image(4, 5, 3))
    classifier = Classifier(net, TransformationParameter(mean_value=[1, 2]))

    with pytest.raises(LayerError, match="2 mean_values"):
        classifier.scores([path])


@pytest.mark.parametrize(
    ("shape", "layers", "message"),
    [
        pytest.param((1, 20), SCORES, "input 'image' is 1x20; images are NxCxHxW", id="flat"),
        pytest.param((1, 4, 5, 6), SCORES, "input 'image' is 1x4x5x6", id="four channels"),
        pytest.param(
            (1, 3, 4, 5),
            INPUT % ("more", "dim: 1") + SCORES,
            "must have one input, and it has these: image, more",
            id="two inputs",
        ),
        pytest.param(
            (1, 3, 4, 5),
            SCORES + SCORES.replace("scores", "others").replace('"ip"', '"ip2"'),
            "must have one output, the scores, and it has these: others, scores",
            id="two outputs",
        ),
        pytest.param(
            (1, 3, 4, 5),
            'layer { name: "relu" type: "ReLU" bottom: "image" top: "map" }',
            "output 'map' is 1x3x4x5; scores are one number a class",
            id="a map",
        ),
    ],
)
def test_refuses_a_net_that_does_not_classify(
    tmp_path: Path, shape: tuple[int, ...], layers: str, message: str
) -> None:
    net = make_net(tmp_path, *shape, layers=layers)

    with pytest.raises(NetError) as error:
        Classifier(net, TransformationParameter())

    assert message in str(error.value)


def test_refuses_a_net_that_reads_its_own_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tiny(tmp_path)

    with pytest.raises(NetError, match=r"it has none; is it a deploy prototxt\?"):
        Classifier(load_net("net.prototxt"), TransformationParameter())
