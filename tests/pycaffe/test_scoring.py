"""Images through a net, a batch at a time."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import caffepy.pycaffe as caffe
from caffepy.pycaffe.scoring import input_transformer, scores
from tests.pycaffe.deployed import expected, write_net


def test_images_are_taken_a_batch_at_a_time(tmp_path: Path) -> None:
    prototxt, weights = write_net(tmp_path)
    net = caffe.Net(prototxt, caffe.TEST, weights=weights)
    images = np.random.default_rng(0).random((9, 6, 6, 3))
    tops = expected(net, images.transpose(0, 3, 1, 2))

    def taken() -> Iterator[NDArray[np.float64]]:
        for index, image in enumerate(images):
            if index and index % 4 == 0:
                before = net.blobs["prob"].data
                np.testing.assert_allclose(before, tops[index - 4 : index], rtol=1e-4)
            yield image

    made = scores(net, input_transformer(net, None, None, None, None), taken())

    np.testing.assert_allclose(made, tops, rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "pixel"),
    [
        pytest.param((None, None, None, None), [1, 2, 3], id="none"),
        pytest.param((np.array([1, 1, 2]), None, None, None), [0, 1, 1], id="mean"),
        pytest.param((None, 2, None, None), [2, 4, 6], id="input scale"),
        pytest.param((np.array([1, 1, 2]), 2, 10, (2, 1, 0)), [58, 38, 16], id="all"),
    ],
)
def test_what_is_done_to_images(
    tmp_path: Path,
    settings: tuple[np.ndarray | None, float | None, float | None, tuple[int, ...] | None],
    pixel: list[float],
) -> None:
    net = caffe.Net(write_net(tmp_path)[0], caffe.TEST)

    transformer = input_transformer(net, *settings)

    made = transformer.preprocess("data", np.full((6, 6, 3), [1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(made[:, 4, 5], pixel)
