"""caffe.Detector: windows of images, cut out by hand as well."""

import sys
from pathlib import Path

import numpy as np
import pytest

import caffepy.pycaffe as caffe
from caffepy.errors import CaffeError, DataError
from caffepy.pycaffe.detector import SEARCH
from tests.pycaffe.deployed import NET, expected, write_image, write_net

MEAN = np.array([10.0, 110.0, 220.0])


def detector(folder: Path, context_pad: int | None = None) -> caffe.Detector:
    return caffe.Detector(
        *write_net(folder),
        mean=MEAN,
        raw_scale=255,
        channel_swap=(2, 1, 0),
        context_pad=context_pad,
    )


def test_windows_of_several_images(tmp_path: Path) -> None:
    one = write_image(tmp_path / "one.png", 12, 15, seed=1)
    two = write_image(tmp_path / "two.png", 9, 7, seed=2)
    net = detector(tmp_path)
    first, second = str(tmp_path / "one.png"), str(tmp_path / "two.png")
    windows = [(2, 3, 8, 9), (0, 0, 12, 15), (5, 1, 7, 14), (1, 1, 3, 3)]

    # An iterator, as zip makes them: it can be gone through once.
    found = net.detect_windows(iter([(first, windows), (second, np.array([[1, 2, 9, 6]]))]))

    assert [each["filename"] for each in found] == [first] * 4 + [second]
    assert [tuple(each["window"]) for each in found] == [*windows, (1, 2, 9, 6)]
    cut = [one[2:8, 3:9], one, one[5:7, 1:14], one[1:3, 1:3], two[1:9, 2:6]]
    resized = np.stack([caffe.io.resize_image(window, (6, 6)) for window in cut])
    inputs = resized.transpose(0, 3, 1, 2)[:, ::-1] * 255 - MEAN[:, None, None]
    np.testing.assert_allclose(
        [each["prediction"] for each in found], expected(net, inputs), rtol=1e-4
    )


def test_context_within_the_image(tmp_path: Path) -> None:
    """The input is 6 pixels, 1 at each side for context: 4 of 6 show the window, larger by 6/4."""
    image = write_image(tmp_path / "image.png", 40, 50)
    net = detector(tmp_path, context_pad=1)

    shown = net.crop(image, np.array([10, 20, 17, 31]))

    # 8 rows around 14 and 12 columns around 26, times 1.5: 8 to 20 and 17 to 35.
    np.testing.assert_allclose(shown, caffe.io.resize_image(image[8:20, 17:35], (6, 6)))


def test_context_beyond_the_image_is_the_mean(tmp_path: Path) -> None:
    image = write_image(tmp_path / "image.png", 40, 50)
    net = detector(tmp_path, context_pad=1)

    shown = net.crop(image, np.array([0, 20, 7, 27]))

    # Rows -2 to 10 and columns 18 to 30, of 13 at 6/13: one row is above the image.
    mean = np.broadcast_to(MEAN[::-1] / 255, (1, 6, 3))
    np.testing.assert_allclose(shown[:1], mean, rtol=1e-6)
    np.testing.assert_allclose(shown[1:], caffe.io.resize_image(image[0:10, 18:30], (5, 6)))


@pytest.mark.parametrize(
    "window",
    [
        pytest.param((39, 49, 39, 49), id="last pixel"),
        pytest.param((-90, -90, 60, 60), id="all of it, and more"),
        pytest.param((30, 0, 39, 9), id="a corner"),
        pytest.param((38, -200, 40, 3), id="a sliver"),
    ],
)
def test_context_fills_the_input(tmp_path: Path, window: tuple[int, ...]) -> None:
    image = write_image(tmp_path / "image.png", 40, 50)

    shown = detector(tmp_path, context_pad=2).crop(image, window)

    assert shown.shape == (6, 6, 3)
    assert np.isfinite(shown).all()


def test_without_a_mean_context_beyond_the_image_is_0(tmp_path: Path) -> None:
    image = write_image(tmp_path / "image.png", 40, 50)
    net = caffe.Detector(*write_net(tmp_path), context_pad=1)

    assert net.crop(image, (0, 20, 7, 27))[0].max() == 0
    assert [*net.crop_dims] == [6, 6, 3]


def test_a_window_outside_its_image(tmp_path: Path) -> None:
    write_image(tmp_path / "image.png", 12, 15)
    path = str(tmp_path / "image.png")

    for net in (detector(tmp_path), detector(tmp_path, context_pad=1)):
        with pytest.raises(DataError, match=r"image\.png: window .* = \(20.*12 rows and 15 col"):
            net.detect_windows([(path, [(2, 2, 5, 5), (20, 3, 25, 9)])])


@pytest.mark.parametrize(
    ("pad", "shape"),
    [
        pytest.param(3, "dim: 6 dim: 6", id="nothing left"),
        pytest.param(1, "dim: 6 dim: 7", id="no square"),
    ],
)
def test_context_that_cannot_be(tmp_path: Path, pad: int, shape: str) -> None:
    files = write_net(tmp_path, NET.replace("dim: 6 dim: 6", shape))

    with pytest.raises(ValueError, match=f"context_pad is {pad}: it takes a square input"):
        caffe.Detector(*files, context_pad=pad)


def test_selective_search_is_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(CaffeError, match=f"needs the package {SEARCH}, and MATLAB"):
        detector(tmp_path).detect_selective_search(["image.png"])


def test_selective_search_is_asked_for_windows(
    tmp_path: Path, user_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package of that name, which proposes the same for each file."""
    (user_folder / f"{SEARCH}.py").write_text(
        "def get_windows(files, cmd):\n"
        "    assert cmd == 'selective_search_rcnn'\n"
        "    return [[(0, 0, 3, 4)] for _ in files]\n"
    )
    monkeypatch.syspath_prepend(str(user_folder))
    write_image(user_folder / "image.png", 12, 15)

    (found,) = detector(tmp_path).detect_selective_search(["image.png"])

    assert found["filename"] == str(user_folder / "image.png")
    assert found["window"] == (0, 0, 3, 4)
    assert SEARCH in sys.modules
