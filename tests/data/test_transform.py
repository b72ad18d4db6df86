from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from numpy.typing import NDArray

from caffepy.data.pca import Pca, write_pca
from caffepy.data.resize import resize
from caffepy.data.transform import Draws, Transform, by_record, read_mean, sized
from caffepy.errors import DataError, LayerError
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
    """What a net sees of two images, which are cut as drawn."""
    result = np.empty((2 * transform.views, 3, *(transform.crop or (6, 8))), np.float32)
    transform.fill(IMAGES, draws, result)
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

    np.testing.assert_array_equal(np.stack(part[:3]), np.stack(whole[:3])[:, 40:60])
    assert (np.stack(other[:3]) != np.stack(whole[:3])).mean() > 0.5


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


def test_refuses_a_mean_of_fewer_numbers_than_its_shape_says(tmp_path: Path) -> None:
    path = tmp_path / "short.binaryproto"
    path.write_bytes(BlobProto(num=1, channels=3, height=2, width=4, data=[1]).SerializeToString())

    with pytest.raises(DataError, match=r"short\.binaryproto: the shape 1 3 2 4 means 24 numbers"):
        read_mean(str(path))


def test_refuses_a_file_that_is_no_mean(tmp_path: Path) -> None:
    path = write_mean(tmp_path / "mean.binaryproto", mean_image(3, 8), legacy=False)

    with pytest.raises(DataError, match="not a mean image: its shape is 3x8"):
        read_mean(path)
    with pytest.raises(DataError, match=r"mean image: cannot read .*none: No such file"):
        read_mean(str(tmp_path / "none"))


def test_sized() -> None:
    assert sized((3, 32, 24)) == "3x32x24"


def test_a_rectangle_out_of_a_mean_image(tmp_path: Path) -> None:
    mean = mean_image(3, 6, 8)
    path = write_mean(tmp_path / "mean.binaryproto", mean)
    transform = make(f'mean_file: "{path}" crop_h: 3 crop_w: 5', training=True)

    found = transformed(
        transform, Draws(np.array([1, 3]), np.array([3, 0]), np.array([True, False]))
    )

    for n, top, left, step in ((0, 1, 3, -1), (1, 3, 0, 1)):
        part = np.s_[:, top : top + 3, left : left + 5]
        np.testing.assert_allclose(found[n], (IMAGES[n] - mean)[part][..., ::step], rtol=1e-5)


def test_ten_crops_each_with_its_part_of_the_mean(tmp_path: Path) -> None:
    mean = mean_image(3, 6, 8)
    path = write_mean(tmp_path / "mean.binaryproto", mean)
    transform = make(f'mean_file: "{path}" crop_size: 3 ten_crop: true')
    draws = transform.draw(0, np.arange(2, dtype=np.uint64), np.array([[6, 8], [6, 8]]))

    found = transformed(transform, draws)

    assert found.shape == (20, 3, 3, 3)
    for number, image in enumerate(IMAGES - mean):
        places = [(0, 0), (0, 5), (3, 0), (3, 5), (1, 2)]
        expected = [image[:, top : top + 3, left : left + 3] for top, left in places]
        expected += [crop[..., ::-1] for crop in expected]
        np.testing.assert_allclose(
            found[10 * number : 10 * number + 10], expected, rtol=1e-5, atol=1e-4
        )


def test_parts_are_resized_to_the_crop() -> None:
    transform = make("crop_h: 3 crop_w: 5 random_resized_crop { }", training=True)
    draws = transform.draw(1, np.arange(2, dtype=np.uint64), np.array([[6, 8], [6, 8]]))

    crops = np.empty((2, 3, 3, 5), np.uint8)
    transform.cut(IMAGES, draws, crops)

    assert draws.sizes is not None
    for image, crop, top, left, (height, width) in zip(
        IMAGES, crops, draws.top, draws.left, draws.sizes, strict=True
    ):
        part = image[:, top : top + height, left : left + width].transpose(1, 2, 0)
        np.testing.assert_array_equal(crop, resize(part, 3, 5).transpose(2, 0, 1))


def test_parts_of_small_images_are_enlarged_in_training_alone() -> None:
    prototxt = "crop_size: 9 random_resized_crop { }"

    assert make(prototxt, training=True).window((3, 6, 8), "record") == (3, 9, 9)
    with pytest.raises(DataError, match="crop_size is 9; record has only 6 rows"):
        make(prototxt).window((3, 6, 8), "record")


def test_floats_are_not_resized() -> None:
    transform = make("crop_size: 3 random_resized_crop { }", training=True)
    draws = transform.draw(1, np.arange(2, dtype=np.uint64), np.array([[6, 8], [6, 8]]))

    with pytest.raises(DataError, match="random_resized_crop takes images of bytes; here are fl"):
        transform.cut(IMAGES.astype(np.float32), draws, np.empty((2, 3, 3, 3), np.float32))


def write_components(folder: Path) -> str:
    """A file of light that is blue, green or red, with deviations of 30, 20 and 10."""
    write_pca(folder / "pca.txt", Pca(np.array([900.0, 400.0, 100.0]), np.eye(3)))
    return f'lighting_std: 0.1 lighting_file: "{folder / "pca.txt"}"'


DARKER = "distort_param { brightness_prob: 1 brightness_delta: 50 }"


def test_colours_come_first_then_light_then_mean_and_scale(tmp_path: Path) -> None:
    settings = f"{write_components(tmp_path)} {DARKER} mean_value: 9 scale: 0.5 mirror: true"
    transform = make(settings, training=True)
    draws = transform.draw(2, np.arange(2, dtype=np.uint64), np.array([[6, 8], [6, 8]]))

    found = transformed(transform, draws)

    assert draws.light is not None
    assert draws.colours is not None
    for n, c, h, w in np.ndindex(*found.shape):
        value = min(max(float(IMAGES[n, c, h, w]) + draws.colours.brightness[n].item(), 0), 255)
        value = (value + draws.light[n, c].item() - 9) * 0.5
        assert found[n, c, h, 7 - w if draws.mirror[n] else w] == pytest.approx(value, abs=1e-3)


def test_light_and_colours_are_of_training_alone(tmp_path: Path) -> None:
    transform = make(f"{write_components(tmp_path)} {DARKER}")

    draws = draw(transform, 1, range(2), (6, 8))

    assert draws.light is None
    np.testing.assert_array_equal(transformed(transform, draws), IMAGES)


def test_crops_and_mirroring_are_as_without_light_and_colours(tmp_path: Path) -> None:
    plain = "crop_size: 3 mirror: true"

    first = draw(make(plain, training=True), 1, range(99), (6, 8))
    more = draw(
        make(f"{plain} {write_components(tmp_path)} {DARKER}", training=True), 1, range(99), (6, 8)
    )

    np.testing.assert_array_equal(first[:3], more[:3])


@pytest.mark.parametrize("field", ["lighting_std", "distort_param"])
def test_light_and_colours_are_for_three_channels(tmp_path: Path, field: str) -> None:
    settings = {"lighting_std": write_components(tmp_path), "distort_param": DARKER}[field]

    with pytest.raises(LayerError, match=f"{field} is for images of 3 channels; r has 1") as caught:
        make(settings, training=True).window((1, 6, 8), "r")
    assert caught.value.field == f"transform_param.{field}"


def test_refuses_a_rectangle_that_is_too_wide() -> None:
    with pytest.raises(DataError, match="the crop is 3x9; r has only 6 rows and 8 columns"):
        make("crop_h: 3 crop_w: 9").window((3, 6, 8), "r")


@pytest.mark.parametrize("count", [3, 40], ids=["few", "more than stay near a core"])
def test_fills_a_batch_part_by_part(
    tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("caffepy.data.transform.CACHED", 10 * 3 * 5 * 5)
    path = write_mean(tmp_path / "mean.binaryproto", mean_image(3, 6, 8))
    transform = make(f'mean_file: "{path}" crop_size: 5 mirror: true scale: 3', training=True)
    images = np.stack([ramp(6, 8, 3, start).transpose(2, 0, 1) for start in range(count)])
    draws = draw(transform, 1, range(count), (6, 8))
    found = np.empty((count, 3, 5, 5), np.float32)

    transform.fill(images, draws, found)

    for number, (top, left, mirror) in enumerate(by_record(draws)):
        expected = (images[number] - mean_image(3, 6, 8)) * 3
        expected = expected[:, top : top + 5, left : left + 5]
        np.testing.assert_allclose(found[number], expected[:, :, ::-1] if mirror else expected)


def test_images_that_lie_as_the_batch_are_taken_at_once() -> None:
    transform = make("scale: 2")
    still = draw(transform, 1, range(2), (6, 8))
    found = np.empty((2, 3, 6, 8), np.float32)

    transform.fill(IMAGES, still, found)

    assert not still.mirror.any()
    np.testing.assert_array_equal(found, 2.0 * IMAGES)


def test_floats_are_mirrored_too() -> None:
    images = [image.astype(np.float32) + np.float32(0.25) for image in IMAGES]
    found = np.empty((2, 3, 6, 8), np.float32)

    make("", training=True).fill(images, NO_CORNERS, found)

    np.testing.assert_array_equal(found, [images[0], images[1][:, :, ::-1]])


def test_another_device_does_after_the_cut_what_a_cpu_does_at_once(tmp_path: Path) -> None:
    path = write_mean(tmp_path / "mean.binaryproto", mean_image(3, 6, 8))
    settings = f'mean_file: "{path}" crop_size: 3 scale: 0.3 {write_components(tmp_path)} {DARKER}'
    transform = make(settings, training=True)
    draws = draw(transform, 1, range(2), (6, 8))
    pixels = np.empty((2, 3, 3, 3), np.uint8)

    transform.cut(IMAGES, draws, pixels)
    found = transform(torch.from_numpy(pixels), draws)

    np.testing.assert_array_equal(found, transformed(transform, draws))
    assert pixels.max() > 9  # they are still what was cut
