import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format

from caffepy.data.mean import write_mean
from caffepy.errors import DataError, LayerError
from caffepy.layers import image_data as image_data
from caffepy.layers.layer import Source, SourceLayer, build_source
from caffepy.proto import LayerParameter
from tests.data.databases import ramp, write_list


def make(
    image_data_param: str,
    transform_param: str = "",
    training: bool = False,
    seed: int = 5,
    position: int = 0,
    rank: int = 0,
    world: int = 1,
) -> SourceLayer:
    prototxt = f'name: "in" type: "ImageData" top: "data" top: "label" image_data_param {{ {image_data_param} }}'
    prototxt += f"transform_param {{ {transform_param} }}"
    source = Source(training, torch.device("cpu"), seed, rank, world, position)
    return build_source(text_format.Parse(prototxt, LayerParameter()), source)


@pytest.fixture
def files(tmp_path: Path) -> str:
    """The fields of a list of five images of 4 x 6, labelled 0 to 4."""
    source, folder = write_list(tmp_path, [ramp(4, 6, 3, start) for start in range(5)])
    return f'source: "{source}" root_folder: "{folder}"'


def labels(layer: SourceLayer, batches: int) -> list[int]:
    return [int(label) for _ in range(batches) for label in layer.read()[1]]


def test_tops_are_transformed_images_and_labels(files: str) -> None:
    layer = make(f"{files} batch_size: 2", "mean_value: 3 scale: 0.5")

    assert layer.top_shapes() == [(2, 3, 4, 6), (2,)]
    for numbers in ([0, 1], [2, 3], [4, 0]):
        images, targets = layer.read()
        expected = np.stack([ramp(4, 6, 3, number).transpose(2, 0, 1) for number in numbers])
        np.testing.assert_array_equal(images, (expected.astype(np.float32) - 3) * 0.5)
        assert targets.tolist() == numbers
        assert images.dtype == targets.dtype == torch.float32
    assert layer.position == 6


def test_a_batch_is_one_image_where_nothing_is_said(files: str) -> None:
    layer = make(files)

    assert layer.top_shapes() == [(1, 3, 4, 6), (1,)]
    assert labels(layer, 3) == [0, 1, 2]


def test_mean_file_is_subtracted_where_the_crop_is(tmp_path: Path, files: str) -> None:
    mean = np.mean([ramp(4, 6, 3, start).transpose(2, 0, 1) for start in range(5)], axis=0)
    write_mean(mean, tmp_path / "mean.binaryproto")
    layer = make(f"{files} batch_size: 5", f'mean_file: "{tmp_path}/mean.binaryproto" crop_size: 3')

    (images, _) = layer.read()

    expected = [(ramp(4, 6, 3, start).transpose(2, 0, 1) - mean)[:, 0:3, 1:4] for start in range(5)]
    np.testing.assert_allclose(images, expected, rtol=1e-5)


def test_resized_and_grey(files: str) -> None:
    layer = make(f"{files} batch_size: 2 new_height: 7 new_width: 5 is_color: false")

    assert layer.top_shapes() == [(2, 1, 7, 5), (2,)]
    assert layer.read()[0].shape == (2, 1, 7, 5)


def test_the_shape_follows_the_first_image_of_each_batch(tmp_path: Path) -> None:
    source, folder = write_list(tmp_path, [ramp(4, 6), ramp(5, 3)])
    layer = make(f'source: "{source}" root_folder: "{folder}"')

    shapes = [tuple(layer.read()[0].shape) for _ in range(3)]

    assert shapes == [(1, 3, 4, 6), (1, 3, 5, 3), (1, 3, 4, 6)]


def test_other_sizes_in_a_batch_take_a_crop(tmp_path: Path) -> None:
    source, folder = write_list(tmp_path, [ramp(4, 6), ramp(5, 3)])
    options = f'source: "{source}" root_folder: "{folder}" batch_size: 2'

    assert make(options, "crop_size: 3").read()[0].shape == (2, 3, 3, 3)
    with pytest.raises(
        DataError,
        match=r"'in' \(ImageData\): .*list\.txt:2: '.*/1\.png' is 3x5x3, but the first of its "
        r"batch, .*list\.txt:1: '.*/0\.png', is 3x4x6",
    ):
        make(options).read()


@pytest.mark.parametrize("options", ["", "shuffle: true", "shuffle: true rand_skip: 4"])
def test_goes_on_where_an_earlier_run_stopped(files: str, options: str) -> None:
    options = f"{files} batch_size: 2 {options}"
    crop = "crop_size: 2 mirror: true"
    whole = make(options, crop, training=True)
    batches = [whole.read() for _ in range(9)]

    resumed = make(options, crop, training=True, position=8)

    assert resumed.position == 8
    for images, targets in batches[4:]:
        more, others = resumed.read()
        assert torch.equal(more, images)
        assert torch.equal(others, targets)


def test_shuffled_epochs_are_drawn_from_the_seed(files: str) -> None:
    drawn = labels(make(f"{files} batch_size: 3 shuffle: true"), 10)
    epochs = [drawn[start : start + 5] for start in range(0, 30, 5)]

    assert all(sorted(epoch) == [0, 1, 2, 3, 4] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 3
    assert labels(make(f"{files} batch_size: 3 shuffle: true"), 10) == drawn
    assert labels(make(f"{files} batch_size: 3 shuffle: true", seed=6), 10) != drawn


def test_rand_skip_begins_the_first_epoch_at_a_random_image_below_it(files: str) -> None:
    firsts = [labels(make(f"{files} rand_skip: 3", seed=seed), 5) for seed in range(20)]

    assert {first[0] for first in firsts} == {0, 1, 2}
    assert all(drawn == [(drawn[0] + step) % 5 for step in range(5)] for drawn in firsts)
    assert labels(make(f"{files} rand_skip: 3", seed=7), 5) == firsts[7]


def test_a_new_epoch_is_logged_when_the_list_is_used_up(
    files: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    seed = next(
        seed for seed in range(99) if labels(make(f"{files} rand_skip: 5", seed=seed), 1) == [3]
    )
    caplog.clear()
    layer = make(f"{files} rand_skip: 5", seed=seed)
    assert caplog.messages[1:] == ["A total of 5 images.", "Skipping first 3 data points."]

    counts = []
    for _ in range(7):
        layer.read()
        counts.append(caplog.messages.count("Restarting data prefetching from start."))
    assert counts == [0, 1, 1, 1, 1, 1, 2]


@pytest.mark.parametrize(
    ("training", "dealt"), [(True, [1, 3]), (False, [0, 1])], ids=["train", "test"]
)
def test_ranks_share_images_in_training_only(files: str, training: bool, dealt: list[int]) -> None:
    layer = make(f"{files} batch_size: 2", training=training, rank=1, world=2)

    assert labels(layer, 1) == dealt
    assert layer.position == (4 if training else 2)


@pytest.mark.parametrize(
    ("options", "text", "field"),
    [
        pytest.param("batch_size: 2", "source, a list of images, is missing", "source", id="none"),
        pytest.param('source: "none" batch_size: 0', "batch_size must be 1", "batch_size", id="0"),
        pytest.param(
            'source: "none" new_height: 3',
            "new_height is 3 and new_width 0; set both",
            "new_height",
            id="height alone",
        ),
        pytest.param(
            'source: "none" new_width: 3',
            "new_height is 0 and new_width 3; set both",
            "new_width",
            id="width alone",
        ),
    ],
)
def test_says_what_is_wrong_before_it_opens_anything(options: str, text: str, field: str) -> None:
    with pytest.raises(LayerError, match=rf"^layer 'in' \(ImageData\): {text}") as caught:
        make(options)
    assert caught.value.field == f"image_data_param.{field}"


def test_refuses_to_skip_more_images_than_there_are(files: str) -> None:
    with pytest.raises(LayerError, match=r"rand_skip is 6, but .* has 5 images") as caught:
        make(f"{files} rand_skip: 6")
    assert caught.value.field == "image_data_param.rand_skip"


def test_refuses_a_contradiction(files: str) -> None:
    with pytest.raises(LayerError, match="mean_file and mean_value are both set"):
        make(files, 'mean_file: "x" mean_value: 3')


def test_refuses_a_missing_list() -> None:
    with pytest.raises(DataError, match=r"^'none\.txt': No such file"):
        make('source: "none.txt"')


def test_refuses_a_crop_larger_than_the_images(files: str) -> None:
    with pytest.raises(DataError, match=r"crop_size is 5; .*list\.txt:1: '.*' has only 4 rows"):
        make(files, "crop_size: 5").top_shapes()


def test_an_unreadable_image_is_named_when_its_batch_is_read(tmp_path: Path, files: str) -> None:
    (tmp_path / "images" / "3.png").unlink()
    layer = make(f"{files} batch_size: 2")
    layer.top_shapes()
    layer.read()

    for _ in range(2):
        with pytest.raises(DataError, match=r"list\.txt:4: could not load '.*/3\.png': No such"):
            layer.read()
    assert layer.position == 2
