import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from numpy.typing import NDArray

from caffepy.errors import DataError, LayerError
from caffepy.layers.layer import Source, build_source
from caffepy.layers.memory_data import MemoryData
from caffepy.proto import LayerParameter
from tests.data.databases import ramp

SIZES = "batch_size: 2 channels: 3 height: 4 width: 5"


def make(memory_data_param: str = SIZES, more: str = "", training: bool = True) -> MemoryData:
    prototxt = f'name: "in" type: "MemoryData" top: "data" top: "label" {more}'
    prototxt += f"memory_data_param {{ {memory_data_param} }}"
    source = Source(training, torch.device("cpu"), seed=5)
    layer = build_source(text_format.Parse(prototxt, LayerParameter()), source)
    assert isinstance(layer, MemoryData)
    return layer


def rows(count: int, start: int = 0) -> NDArray[np.float32]:
    size = count * 3 * 4 * 5
    return np.arange(start, start + size, dtype=np.float32).reshape(count, 3, 4, 5)


def test_hands_out_batches_of_what_it_was_given_again_and_again() -> None:
    layer = make()
    assert layer.top_shapes() == [(2, 3, 4, 5), (2,)]

    layer.reset(rows(6), np.arange(6))

    for first in (0, 2, 4, 0, 2):
        data, labels = layer.read()
        np.testing.assert_array_equal(data, rows(6)[first : first + 2])
        assert labels.tolist() == [[[[first]]], [[[first + 1]]]]
        assert data.dtype == labels.dtype == torch.float32
    assert layer.position == 10


def test_the_next_reset_begins_at_its_first_row() -> None:
    layer = make()
    layer.reset(rows(4), np.arange(4))
    layer.read()

    layer.reset(rows(2, start=7), np.array([8.0, 9.0]).reshape(2, 1, 1, 1))

    data, labels = layer.read()
    np.testing.assert_array_equal(data, rows(2, start=7))
    assert labels.flatten().tolist() == [8, 9]


def test_arrays_of_float32_are_not_copied_but_batches_are() -> None:
    layer, data = make(), rows(4)
    layer.reset(data, np.zeros(4, np.float32))
    first, _ = layer.read()

    data[:] = -1

    np.testing.assert_array_equal(first, rows(4)[:2])
    assert (layer.read()[0] == -1).all()


def test_reset_does_not_transform_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    layer = make(more="transform_param { scale: 0.5 }")

    layer.reset(rows(2), np.zeros(2))

    np.testing.assert_array_equal(layer.read()[0], rows(2))
    assert caplog.record_tuples == [
        (
            "caffepy.layers.memory_data",
            logging.WARNING,
            "layer 'in' (MemoryData) does not transform array data on Reset()",
        )
    ]


def test_added_images_are_transformed() -> None:
    layer = make(more="transform_param { scale: 0.5 mean_value: 3 }")
    images = [ramp(4, 5, 3, start).transpose(2, 0, 1) for start in range(4)]

    layer.add(images, [5, 6, 7, 8])

    for first in (0, 2, 0):
        data, labels = layer.read()
        expected = [(image.astype(np.float32) - 3) * 0.5 for image in images[first : first + 2]]
        np.testing.assert_array_equal(data, expected)
        assert labels.flatten().tolist() == [5 + first, 6 + first]


def test_added_images_of_any_size_are_cropped() -> None:
    layer = make("batch_size: 2 channels: 3 height: 4 width: 4", "transform_param { crop_size: 4 }")
    images = [ramp(6, 7).transpose(2, 0, 1), ramp(5, 9, start=9).transpose(2, 0, 1)]

    seen = set()
    for _ in range(12):
        layer.add(images, [0, 1])
        data, _ = layer.read()
        assert data.shape == (2, 3, 4, 4)
        for pixels, image in zip(data.numpy(), images, strict=True):
            places = [
                (top, left)
                for top in range(image.shape[1] - 3)
                for left in range(image.shape[2] - 3)
                if (pixels == image[:, top : top + 4, left : left + 4]).all()
            ]
            assert len(places) == 1
            seen.update(places)
    assert len(seen) > 5


def test_the_centre_is_cropped_in_testing() -> None:
    sizes = "batch_size: 1 channels: 3 height: 4 width: 4"
    layer = make(sizes, "transform_param { crop_size: 4 }", training=False)
    image = ramp(7, 9).transpose(2, 0, 1)

    layer.add([image], [0])

    np.testing.assert_array_equal(layer.read()[0][0], image[:, 1:5, 2:6])


def test_more_is_added_only_when_all_was_read() -> None:
    layer = make()
    images = [image.astype(np.uint8) for image in rows(4)]
    layer.add(images, [0, 1, 2, 3])
    layer.read()

    with pytest.raises(DataError, match="added before are still to be read, 2 of 4"):
        layer.add(images, [0, 1, 2, 3])

    layer.read()
    layer.add(images, [4, 5, 6, 7])
    assert layer.read()[1].flatten().tolist() == [4, 5]


def test_moved_it_keeps_what_it_was_given() -> None:
    layer = make()
    layer.reset(rows(6), np.arange(6))
    layer.read()

    assert layer.moved(8, 7) is layer

    assert layer.position == 8
    assert layer.read()[1].flatten().tolist() == [2, 3]


def test_reading_before_anything_was_given_is_an_error() -> None:
    layer = make()
    layer.top_shapes()

    with pytest.raises(DataError, match=r"'in' \(MemoryData\): nothing to read: .*set_input_arr"):
        layer.read()


@pytest.mark.parametrize(
    ("data", "labels", "text"),
    [
        pytest.param((4, 3, 5, 4), (4,), r"data of shape \(4, 3, 5, 4\); \(n, 3, 4, 5\)", id="hw"),
        pytest.param((60,), (1,), r"data of shape \(60,\)", id="flat"),
        pytest.param((), (), r"data of shape \(\)", id="a number"),
        pytest.param((4, 3, 4, 5), (3,), r"labels of shape \(3,\) for 4 rows", id="fewer labels"),
        pytest.param((4, 3, 4, 5), (4, 2), r"labels of shape \(4, 2\) for 4", id="two labels each"),
        pytest.param((3, 3, 4, 5), (3,), "3 rows; a multiple of batch_size, which is 2", id="odd"),
        pytest.param((0, 3, 4, 5), (0,), "0 rows; a multiple of batch_size", id="none"),
    ],
)
def test_reset_refuses(data: tuple[int, ...], labels: tuple[int, ...], text: str) -> None:
    with pytest.raises(DataError, match=rf"^layer 'in' \(MemoryData\): {text}"):
        make().reset(np.zeros(data), np.zeros(labels))


@pytest.mark.parametrize(
    ("shapes", "labels", "text"),
    [
        ([], [], "0 rows; a multiple of batch_size"),
        ([(3, 4, 5)] * 3, [0] * 3, "3 rows; a multiple of batch_size, which is 2"),
        ([(3, 4, 5)] * 2, [0] * 3, "3 labels for 2 images"),
        (
            [(3, 4, 5), (3, 4, 6)],
            [0, 1],
            r"image 1 is of shape \(3, 4, 6\), which leaves \(3, 4, 6\); .* says \(3, 4, 5\)",
        ),
    ],
    ids=["none", "odd", "labels", "size"],
)
def test_add_refuses(shapes: list[tuple[int, ...]], labels: list[int], text: str) -> None:
    with pytest.raises(DataError, match=text):
        make().add([np.zeros(shape, np.uint8) for shape in shapes], labels)


@pytest.mark.parametrize("field", ["batch_size", "channels", "height", "width"])
@pytest.mark.parametrize("value", ["", "0"], ids=["missing", "0"])
def test_each_size_is_required(field: str, value: str) -> None:
    sizes = SIZES.split()
    place = sizes.index(f"{field}:")
    sizes[place : place + 2] = [f"{field}: {value}"] if value else []

    with pytest.raises(LayerError, match=rf"'in' \(MemoryData\): {field} must be 1") as caught:
        make(" ".join(sizes))
    assert caught.value.field == f"memory_data_param.{field}"


def test_the_mean_file_is_opened_at_once(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"none\.binaryproto"):
        make(more=f'transform_param {{ mean_file: "{tmp_path}/none.binaryproto" }}')
