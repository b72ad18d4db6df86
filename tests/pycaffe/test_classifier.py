"""caffe.Classifier, held against the same sums by hand."""

from pathlib import Path

import numpy as np
import pytest

import caffepy.pycaffe as caffe
from caffepy.errors import DataError, NetError
from tests.pycaffe.deployed import NET, expected, write_net

MEAN = np.array([100.0, 110.0, 120.0])


def images(count: int, height: int = 6, width: int = 6) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.random((height, width, 3)).astype(np.float32) for _ in range(count)]


def as_input(image: np.ndarray) -> np.ndarray:
    """BGR from 0 to 255, less the mean."""
    less: np.ndarray = image.transpose(2, 0, 1)[::-1] * 255 - MEAN[:, None, None]
    return less


def classifier(folder: Path, image_dims: tuple[int, int] | None = None) -> caffe.Classifier:
    return caffe.Classifier(
        *write_net(folder), image_dims, mean=MEAN, raw_scale=255, channel_swap=(2, 1, 0)
    )


@pytest.mark.parametrize("count", [1, 4, 6], ids=["part of a batch", "a batch", "a batch and more"])
def test_the_centre_of_each_image(tmp_path: Path, count: int) -> None:
    net = classifier(tmp_path, (8, 11))
    given = images(count, 8, 11)

    scores = net.predict(given, oversample=False)

    centres = np.stack([as_input(image[1:7, 2:8]) for image in given])
    assert scores.shape == (count, 5)
    np.testing.assert_allclose(scores, expected(net, centres), rtol=1e-4)


def test_the_mean_over_ten_crops(tmp_path: Path) -> None:
    net = classifier(tmp_path, (8, 11))
    given = images(3, 8, 11)

    scores = net.predict(given)

    for image, row in zip(given, scores, strict=True):
        places = [(0, 0), (0, 5), (2, 0), (2, 5), (1, 2)]
        crops = [image[y : y + 6, x : x + 6] for y, x in places]
        crops += [crop[:, ::-1] for crop in crops]
        tops = expected(net, np.stack([as_input(crop) for crop in crops]))
        np.testing.assert_allclose(row, tops.mean(0), rtol=1e-4)


def test_images_are_resized(tmp_path: Path) -> None:
    net = classifier(tmp_path)
    given = [*images(1, 9, 13), *images(1, 3, 3)]

    scores = net.predict(given, oversample=False)

    resized = [as_input(caffe.io.resize_image(image, (6, 6))) for image in given]
    np.testing.assert_allclose(scores, expected(net, np.stack(resized)), rtol=1e-4)


def test_a_mean_of_pixels_and_a_scale(tmp_path: Path) -> None:
    mean = np.random.default_rng(1).random((3, 6, 6))
    net = caffe.Classifier(*write_net(tmp_path), mean=mean, input_scale=0.5)
    given = images(2)

    scores = net.predict(given, oversample=False)

    inputs = np.stack([(image.transpose(2, 0, 1) - mean) / 2 for image in given])
    np.testing.assert_allclose(scores, expected(net, inputs), rtol=1e-4)


def test_it_is_a_net(tmp_path: Path) -> None:
    net = classifier(tmp_path, (8, 9))

    assert isinstance(net, caffe.Net)
    assert net.transformer.inputs == {"data": (4, 3, 6, 6)}
    assert [*net.crop_dims] == [6, 6]
    assert [*net.image_dims] == [8, 9]


def test_images_that_cannot_be_cropped(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a crop of 6x6 does not fit into images of 8x5"):
        classifier(tmp_path, (8, 5))


@pytest.mark.parametrize("crops", [True, False], ids=["ten", "one"])
def test_images_of_other_channels(tmp_path: Path, crops: bool) -> None:
    grey = np.zeros((6, 6, 1), np.float32)

    with pytest.raises(DataError, match=r"net 'tiny' takes images of 3 channels.*\(6, 6, 1\)"):
        classifier(tmp_path).predict([grey], crops)


def test_no_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="net 'tiny': there are no images"):
        classifier(tmp_path).predict([])


def test_a_net_that_takes_no_images(tmp_path: Path) -> None:
    text = NET.replace("dim: 4 dim: 3 dim: 6 dim: 6", "dim: 4 dim: 3")

    with pytest.raises(NetError, match="net 'tiny': images need an Input layer"):
        caffe.Classifier(*write_net(tmp_path, text))
