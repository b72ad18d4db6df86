import logging
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format

from caffepy.data.images import encode_image
from caffepy.data.mean import write_mean
from caffepy.errors import DataError, LayerError
from caffepy.layers import window_data as window_data
from caffepy.layers.layer import Source, SourceLayer, build_source
from caffepy.proto import LayerParameter
from tests.data.databases import ramp

IMAGES = (ramp(8, 9), ramp(7, 12, start=50))
# The crop is as large as the windows, so that it has their very pixels.
WINDOWS = """\
# 0
0.png
3 8 9
3
0 0.1 1 2 5 6
4 0.6 4 0 8 4
9 0.4 0 0 1 1
# 1
1.png
3 7 12
2
0 0.2 7 2 11 6
6 0.9 3 1 7 5
"""
PLACES = {0: [(0, 1, 2), (1, 7, 2)], 4: [(0, 4, 0)], 6: [(1, 3, 1)]}  # by class: image, x, y


@pytest.fixture
def windows(tmp_path: Path) -> str:
    """The fields of a list of two objects and two windows of background, of 5 x 5 pixels each."""
    for number, image in enumerate(IMAGES):
        (tmp_path / f"{number}.png").write_bytes(encode_image(image, "png"))
    (tmp_path / "windows.txt").write_text(WINDOWS)
    thresholds = "fg_threshold: 0.5 bg_threshold: 0.3"
    return f'source: "{tmp_path}/windows.txt" root_folder: "{tmp_path}/" {thresholds}'


def make(
    window_data_param: str,
    transform_param: str = "crop_size: 5",
    training: bool = True,
    seed: int = 5,
    position: int = 0,
    rank: int = 0,
    world: int = 1,
) -> SourceLayer:
    prototxt = f'name: "in" type: "WindowData" top: "data" top: "label" window_data_param {{ {window_data_param} }}'
    prototxt += f"transform_param {{ {transform_param} }}"
    source = Source(training, torch.device("cpu"), seed, rank, world, position)
    return build_source(text_format.Parse(prototxt, LayerParameter()), source)


def window(image: int, x: int, y: int) -> np.typing.NDArray[np.float32]:
    """The pixels (3, 5, 5) of a window."""
    return IMAGES[image][y : y + 5, x : x + 5].transpose(2, 0, 1).astype(np.float32)


@pytest.mark.parametrize("cached", ["", "cache_images: true"], ids=["files", "cached"])
def test_tops_are_background_and_then_objects(windows: str, cached: str) -> None:
    layer = make(f"{windows} batch_size: 7 fg_fraction: 0.5 {cached}")

    assert layer.top_shapes() == [(7, 3, 5, 5), (7,)]
    seen = set()
    for _ in range(5):
        data, labels = layer.read()
        assert data.dtype == labels.dtype == torch.float32
        classes = labels.int().tolist()
        assert classes[:4] == [0] * 4
        assert set(classes[4:]) <= {4, 6}
        for pixels, name in zip(data.numpy(), classes, strict=True):
            places = [place for place in PLACES[name] if (pixels == window(*place)).all()]
            assert len(places) == 1
            seen.update(places)
    assert seen == {place for places in PLACES.values() for place in places}
    assert layer.position == 35


@pytest.mark.parametrize(
    ("size", "fraction", "objects"),
    [(3, 0.25, 0), (4, 0.25, 1), (10, 0.7, 7), (7, 0.999, 6), (3, 1, 3), (3, 0, 0)],
)
def test_the_number_of_objects_is_rounded_down(
    windows: str, size: int, fraction: float, objects: int
) -> None:
    layer = make(f"{windows} batch_size: {size} fg_fraction: {fraction}")

    assert int((layer.read()[1] > 0).sum()) == objects


def test_mirrored_at_random_in_testing_too(windows: str) -> None:
    layer = make(f"{windows} batch_size: 20", "crop_size: 5 mirror: true", training=False)

    data, labels = layer.read()

    flipped = [
        step
        for pixels, name in zip(data.numpy(), labels.int().tolist(), strict=True)
        for place in PLACES[name]
        for step in (1, -1)
        if (pixels == window(*place)[:, :, ::step]).all()
    ]
    assert len(flipped) == 20
    assert set(flipped) == {1, -1}


@pytest.mark.parametrize(
    ("values", "mean"),
    [("mean_value: 7", [7, 7, 7]), ("mean_value: 1 mean_value: 20 mean_value: 30", [1, 20, 30])],
    ids=["one", "three"],
)
def test_means_of_channels_are_subtracted_and_the_layers_own_scale_is_used(
    windows: str, values: str, mean: list[int]
) -> None:
    one = make(f"{windows} batch_size: 6 scale: 0.5", f"crop_size: 5 scale: 9 {values}")
    plain = make(f"{windows} batch_size: 6")

    expected = (plain.read()[0] - torch.tensor(mean)[:, None, None]) * 0.5

    assert torch.equal(one.read()[0], expected)


def test_a_mean_image_is_indexed_by_half_its_spare_width_in_rows_too(
    tmp_path: Path, windows: str
) -> None:
    mean = np.random.default_rng(0).uniform(0, 99, (3, 11, 9)).astype(np.float32)
    write_mean(mean.astype(np.float64), tmp_path / "mean.binaryproto")
    transform = f'crop_size: 5 mirror: true mean_file: "{tmp_path}/mean.binaryproto"'
    one = make(f"{windows} batch_size: 20 scale: 0.5", transform)
    plain = make(f"{windows} batch_size: 20", "crop_size: 5 mirror: true")

    expected = (plain.read()[0] - torch.from_numpy(mean[:, 2:7, 2:7])) * 0.5

    assert torch.equal(one.read()[0], expected)


def test_outside_the_image_is_zero_after_the_mean_is_subtracted(
    tmp_path: Path, windows: str
) -> None:
    text = "# 0 0.png 3 8 9 2  1 1 0 0 8 7  0 0 0 0 8 7"
    (tmp_path / "windows.txt").write_text(text)
    transform = "crop_size: 12 mean_value: 300"

    layer = make(f"{windows} batch_size: 4 context_pad: 2", transform)

    data, _ = layer.read()
    # 12 / 8 of 9 columns, -2 to 11, are 14 in 12 pixels, and of 8 rows, -2 to 10, are 13.
    inside = (data < 0)[0, 0]
    assert inside.any(1).int().tolist() == [0, 0, *[1] * 7, 0, 0, 0]
    assert inside.any(0).int().tolist() == [0, 0, *[1] * 8, 0, 0]
    assert (data[:, :, ~inside] == 0).all()
    assert (data[:, :, inside] < -40).all()


def test_goes_on_where_an_earlier_run_stopped(windows: str) -> None:
    transform = "crop_size: 4 mirror: true"
    whole = make(f"{windows} batch_size: 3", transform)
    batches = [whole.read() for _ in range(6)]

    resumed = make(f"{windows} batch_size: 3", transform, position=9)

    assert resumed.position == 9
    for data, labels in batches[3:]:
        more, others = resumed.read()
        assert torch.equal(more, data)
        assert torch.equal(others, labels)
    assert not torch.equal(make(f"{windows} batch_size: 3", transform, seed=6).read()[0], data)


@pytest.mark.parametrize("training", [True, False], ids=["train", "test"])
def test_ranks_share_batches_in_training_only(windows: str, training: bool) -> None:
    whole = make(f"{windows} batch_size: 4")
    batches = [whole.read()[0] for _ in range(6)]

    second = make(f"{windows} batch_size: 4", training=training, rank=1, world=3)

    for batch in (batches[1], batches[4]) if training else batches[:2]:
        assert torch.equal(second.read()[0], batch)
    assert second.position == (24 if training else 8)


def test_the_classes_are_counted_in_the_log(windows: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    make(f"{windows} batch_size: 4")

    assert caplog.messages == [
        "Number of images: 2",
        "class 0 has 2 samples",
        "class 4 has 1 samples",
        "class 6 has 1 samples",
    ]


SOURCE = 'source: "none" batch_size: 4'


@pytest.mark.parametrize(
    ("options", "transform", "text", "field"),
    [
        ("batch_size: 4", "crop_size: 5", "source, a window file", "window_data_param.source"),
        ('source: "none"', "crop_size: 5", "batch_size must be", "window_data_param.batch_size"),
        (SOURCE, "", "crop_size, the side of a crop", "transform_param.crop_size"),
        (
            f"{SOURCE} crop_mode: 'squar'",
            "crop_size: 5",
            "crop_mode is 'squar'; allowed are warp and square; did you mean 'square'",
            "window_data_param.crop_mode",
        ),
        (
            f"{SOURCE} context_pad: 3",
            "crop_size: 6",
            "context_pad is 3 on each side of a crop of 6",
            "window_data_param.context_pad",
        ),
        (
            f"{SOURCE} fg_fraction: 1.5",
            "crop_size: 6",
            "fg_fraction is 1.5; 0 to 1",
            "window_data_param.fg_fraction",
        ),
        (
            SOURCE,
            "crop_size: 5 mean_value: 1 mean_value: 2",
            "2 mean_values; give 1 or 3",
            "transform_param.mean_value",
        ),
        (
            SOURCE,
            "crop_size: 5 mean_value: 1 mean_file: 'none'",
            "mean_file and mean_value are both set",
            "transform_param.mean_value",
        ),
    ],
    ids=[
        "no source",
        "no batch_size",
        "no crop_size",
        "crop_mode",
        "context_pad",
        "fg_fraction",
        "mean_values",
        "two means",
    ],
)
def test_says_what_is_wrong_before_it_opens_anything(
    options: str, transform: str, text: str, field: str
) -> None:
    with pytest.raises(LayerError, match=rf"^layer 'in' \(WindowData\): .*{text}") as caught:
        make(options, transform)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("shape", "crop"), [((1, 9, 9), 5), ((3, 6, 9), 5), ((3, 9, 4), 5)], ids=["grey", "low", "slim"]
)
def test_refuses_a_mean_that_the_crop_does_not_fit_into(
    tmp_path: Path, windows: str, shape: tuple[int, ...], crop: int
) -> None:
    write_mean(np.zeros(shape), tmp_path / "mean.binaryproto")
    transform = f'crop_size: {crop} mean_file: "{tmp_path}/mean.binaryproto"'

    with pytest.raises(DataError, match=r"the mean in .* is \dx\dx\d; a crop of 3x5x5 does not"):
        make(f"{windows} batch_size: 4", transform)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("fg_threshold: 0.95", r"no windows of objects: none has an overlap of 0.95 \(fg_"),
        ("bg_threshold: 0.05", r"no windows of background: none has an overlap below 0.05 \(bg_"),
    ],
    ids=["no objects", "no background"],
)
def test_refuses_to_draw_from_nothing(windows: str, options: str, text: str) -> None:
    with pytest.raises(DataError, match=rf"windows\.txt: {text}"):
        make(f"{re.sub('fg_threshold.*', '', windows)} batch_size: 4 {options}")


def test_a_missing_image_is_named(tmp_path: Path, windows: str) -> None:
    (tmp_path / "1.png").unlink()
    where = r"windows\.txt:9: could not load '.*1\.png': No such"

    layer = make(f"{windows} batch_size: 40")
    for _ in range(2):
        with pytest.raises(DataError, match=where):
            layer.read()
    assert layer.position == 0
    with pytest.raises(DataError, match=where):
        make(f"{windows} batch_size: 40 cache_images: true")
