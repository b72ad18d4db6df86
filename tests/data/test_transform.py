from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from numpy.typing import NDArray

from caffepy.data.transform import Draws, Transform, random_bits, read_mean, sized
from caffepy.errors import DataError, LayerError, ParseError
from caffepy.proto import BlobProto, BlobShape, TransformationParameter
from tests.data.databases import ramp


def make(prototxt: str, training: bool = False) -> Transform:
    param = text_format.Parse(prototxt, TransformationParameter())
    return Transform(param, training, torch.device("cpu"), "layer 'data' (Data)")


def write_mean(path: Path, mean: NDArray[np.float32], legacy: bool = True) -> str:
    blob = BlobProto(data=mean.ravel().tolist())
    if legacy:
        blob.num = 1
        blob.channels, blob.height, blob.width = mean.shape
    else:
        blob.shape.CopyFrom(BlobShape(dim=mean.shape))
    path.write_bytes(blob.SerializeToString())
    return str(path)


def mean_image(*shape: int) -> NDArray[np.float32]:
    numbers: NDArray[np.float32] = np.arange(np.prod(shape), dtype=np.float32) / np.float32(3)
    return numbers.reshape(shape)


IMAGES = np.stack([ramp(6, 8, 3, start).transpose(2, 0, 1) for start in (0, 50)])


def transformed(transform: Transform, draws: Draws) -> NDArray[np.float32]:
    """Two images, cut as drawn, through the rest of the transformation."""
    height, width = (transform.crop,) * 2 if transform.crop else (6, 8)
    pixels = np.empty((2, 3, height, width), np.uint8)
    transform.cut(IMAGES, draws, pixels)
    result: NDArray[np.float32] = transform(torch.from_numpy(pixels), draws).numpy()
    return result


def naive(draws: Draws, crop: int, mean: NDArray[np.float32], scale: float) -> NDArray[np.float64]:
    """Caffe's formula, a number at a time."""
    height, width = (crop, crop) if crop else (6, 8)
    expected = np.empty((2, 3, height, width))
    for n, c, h, w in np.ndindex(2, 3, height, width):
        top, left = h + draws.top[n], w + draws.left[n]
        place = width - 1 - w if draws.mirror[n] else w
        expected[n, c, h, place] = (float(IMAGES[n, c, top, left]) - mean[c, top, left]) * scale
    return expected


CORNERS = Draws(np.array([1, 2]), np.array([4, 0]), np.array([True, False]))
NO_CORNERS = Draws(np.array([0, 0]), np.array([0, 0]), np.array([False, True]))


@pytest.mark.parametrize("training", [True, False], ids=["train", "test"])
@pytest.mark.parametrize(
    ("prototxt", "scale", "means"),
    [
        pytest.param("", 1, [0, 0, 0], id="nothing"),
        pytest.param("scale: 0.5", 0.5, [0, 0, 0], id="scale"),
        pytest.param("mean_value: 9", 1, [9, 9, 9], id="one mean"),
        pytest.param("mean_value: 104 mean_value: 117 mean_value: 123", 1, [104, 117, 123], id="3"),
        pytest.param("mean_value: 1 scale: 0.5", 0.5, [1, 1, 1], id="mean before scale"),
    ],
)
def test_value(training: bool, prototxt: str, scale: float, means: list[float]) -> None:
    mean = np.array(means, np.float32)[:, None, None] * np.ones((3, 6, 8), np.float32)

    actual = transformed(make(prototxt, training), NO_CORNERS)

    np.testing.assert_allclose(actual, naive(NO_CORNERS, 0, mean, scale), rtol=1e-6)


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy 4-D", "3-D"])
@pytest.mark.parametrize("crop", [0, 3])
def test_mean_image_is_taken_where_the_crop_is_and_before_mirroring(
    tmp_path: Path, crop: int, legacy: bool
) -> None:
    mean = mean_image(3, 6, 8)
    path = write_mean(tmp_path / "mean.binaryproto", mean, legacy)
    transform = make(f'mean_file: "{path}" scale: 2 crop_size: {crop}', training=True)
    draws = CORNERS if crop else NO_CORNERS

    actual = transformed(transform, draws)

    np.testing.assert_allclose(actual, naive(draws, crop, mean, 2), rtol=1e-5, atol=1e-4)


def test_in_test_the_crop_is_central(tmp_path: Path) -> None:
    mean = mean_image(3, 6, 8)
    path = write_mean(tmp_path / "mean.binaryproto", mean)
    transform = make(f'mean_file: "{path}" crop_size: 3')

    draws = transform.draw(0, np.arange(2, dtype=np.uint64), np.array([[6, 8], [6, 8]]))

    assert (draws.top.tolist(), draws.left.tolist()) == ([1, 1], [2, 2])
    np.testing.assert_allclose(
        transformed(transform, draws), naive(draws, 3, mean, 1), rtol=1e-5, atol=1e-4
    )


def draw(transform: Transform, seed: int, numbers: range, size: tuple[int, int]) -> Draws:
    return transform.draw(
        seed, np.array(numbers, np.uint64), np.broadcast_to(size, (len(numbers), 2))
    )


def test_training_draws_every_corner_about_equally_often() -> None:
    draws = draw(make("crop_size: 5 mirror: true", training=True), 1, range(12_000), (7, 8))

    places = [*zip(draws.top.tolist(), draws.left.tolist(), draws.mirror.tolist(), strict=True)]
    counts = {place: places.count(place) for place in set(places)}
    assert len(counts) == 3 * 4 * 2
    assert all(420 < count < 580 for count in counts.values())  # 500 each, within 3.6 sigma


@pytest.mark.parametrize("training", [True, False], ids=["train", "test"])
@pytest.mark.parametrize("mirror", [True, False])
def test_mirrors_half_of_them_in_either_phase(training: bool, mirror: bool) -> None:
    draws = draw(make(f"mirror: {mirror}".lower(), training), 1, range(1000), (7, 8))

    assert 430 < draws.mirror.sum() < 570 if mirror else not draws.mirror.any()


def test_a_draw_depends_on_seed_and_number_only() -> None:
    transform = make("crop_size: 20 mirror: true", training=True)
    whole = draw(transform, 7, range(100), (99, 77))

    part = draw(transform, 7, range(40, 60), (99, 77))
    other = draw(transform, 8, range(100), (99, 77))

    np.testing.assert_array_equal(np.stack(part), np.stack(whole)[:, 40:60])
    assert (np.stack(other) != np.stack(whole)).mean() > 0.5


def test_random_bits_are_those_of_splitmix64() -> None:
    def one(z: int) -> int:
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)

    bits = random_bits(-3, np.array([0, 5, 2**40], np.uint64))

    assert bits.tolist() == [
        one((one(2**64 - 3) + number * 0x9E3779B97F4A7C15) % 2**64) for number in (0, 5, 2**40)
    ]


@pytest.mark.parametrize(
    ("prototxt", "color"),
    [("", None), ("force_color: true", True), ("force_gray: true", False)],
)
def test_color(prototxt: str, color: bool | None) -> None:
    assert make(prototxt).color is color


@pytest.mark.parametrize(
    ("prototxt", "shape", "window"),
    [("", (3, 6, 8), (3, 6, 8)), ("crop_size: 6", (1, 6, 8), (1, 6, 6))],
)
def test_window(prototxt: str, shape: tuple[int, ...], window: tuple[int, ...]) -> None:
    assert make(prototxt).window(shape, "record") == window


def test_refuses_a_crop_larger_than_the_image() -> None:
    with pytest.raises(DataError, match="crop_size is 7; db: record '3' has only 6 rows and 8 col"):
        make("crop_size: 7").window((3, 6, 8), "db: record '3'")


def test_refuses_a_mean_image_of_another_size(tmp_path: Path) -> None:
    path = write_mean(tmp_path / "mean.binaryproto", mean_image(3, 8, 6))

    with pytest.raises(DataError, match="binaryproto is 3x8x6, record '3' is 3x6x8; they must be"):
        make(f'mean_file: "{path}"').window((3, 6, 8), "record '3'")


def test_refuses_other_counts_of_mean_values() -> None:
    with pytest.raises(LayerError, match="2 mean_values; record '3' has 3 channels") as caught:
        make("mean_value: 1 mean_value: 2").window((3, 6, 8), "record '3'")
    assert caught.value.field == "transform_param.mean_value"


@pytest.mark.parametrize(
    ("prototxt", "text", "field"),
    [
        ('mean_file: "x" mean_value: 1', "mean_file and mean_value are both set", "mean_value"),
        ("force_color: true force_gray: true", "force_color and force_gray are", "force_gray"),
    ],
)
def test_refuses_settings_that_contradict(prototxt: str, text: str, field: str) -> None:
    with pytest.raises(LayerError, match=f"^layer 'data' .Data.: {text}") as caught:
        make(prototxt)
    assert caught.value.field == f"transform_param.{field}"


def test_refuses_a_file_that_is_no_mean(tmp_path: Path) -> None:
    path = write_mean(tmp_path / "mean.binaryproto", mean_image(3, 8), legacy=False)

    with pytest.raises(DataError, match="not a mean image: its shape is 3x8"):
        read_mean(path)
    with pytest.raises(ParseError, match="none"):
        read_mean(str(tmp_path / "none"))


def test_sized() -> None:
    assert sized((3, 32, 24)) == "3x32x24"


@pytest.mark.parametrize("count", [3, 40], ids=["few", "more than stay near a core"])
def test_a_batch_is_computed_where_it_is_to_be(
    tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caffepy.data.transform.CACHED", 10 * 3 * 5 * 5)
    path = write_mean(tmp_path / "mean.binaryproto", mean_image(3, 6, 8))
    transform = make(f'mean_file: "{path}" crop_size: 5 mirror: true scale: 3', training=True)
    images = np.stack([ramp(6, 8, 3, start).transpose(2, 0, 1) for start in range(count)])
    draws = draw(transform, 1, range(count), (6, 8))
    pixels, out = np.empty((count, 3, 5, 5), np.uint8), torch.empty(count, 3, 5, 5)
    transform.cut(images, draws, pixels)

    assert transform(torch.from_numpy(pixels), draws, out) is out

    for number, (top, left, mirror) in enumerate(zip(*draws, strict=True)):
        expected = (images[number] - mean_image(3, 6, 8)) * 3
        expected = expected[:, top : top + 5, left : left + 5]
        np.testing.assert_allclose(out[number], expected[:, :, ::-1] if mirror else expected)


def test_the_arithmetic_of_a_device_is_that_of_the_cpu(tmp_path: Path) -> None:
    path = write_mean(tmp_path / "mean.binaryproto", mean_image(3, 6, 8))
    transform = make(f'mean_file: "{path}" crop_size: 3 scale: 0.3', training=True)
    pixels = np.empty((2, 3, 3, 3), np.uint8)
    transform.cut(IMAGES, CORNERS, pixels)
    x = torch.empty(2, 3, 3, 3)

    transform._compute(x, torch.from_numpy(pixels), CORNERS)  # torch's words instead of numpy's

    assert torch.equal(x, transform(torch.from_numpy(pixels), CORNERS))
