import logging
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from torch import Tensor

from caffepy.data.batches import Batches, Stream
from caffepy.data.datum import to_datum
from caffepy.data.folder import Record
from caffepy.data.lmdb import LMDB
from caffepy.data.pca import Pca, write_pca
from caffepy.data.records import Records
from caffepy.data.transform import Transform
from caffepy.errors import DataError
from caffepy.proto import Datum, TransformationParameter
from tests.data.databases import ramp, write_datums, write_images


def make_transform(prototxt: str = "", training: bool = True) -> Transform:
    param = text_format.Parse(prototxt, TransformationParameter())
    return Transform(param, training, torch.device("cpu"), "layer 'data' (Data)")


def make(
    path: str,
    size: int,
    prototxt: str = "",
    rank: int = 0,
    world: int = 1,
    position: int = 0,
    depth: int = 2,
    workers: int = 2,
) -> Batches[Record]:
    stream = Stream(Records(LMDB(path), None), 5, rank, world, position)
    return Batches(stream, make_transform(prototxt), size, depth, workers)


def labels(batches: Batches[Record], count: int) -> list[list[int]]:
    return [batches.read()[1].int().tolist() for _ in range(count)]


def test_stacks_records_in_order_and_begins_again(tmp_path: Path) -> None:
    images = [ramp(4, 5, 3, start) for start in range(3)]
    batches = make(write_images(tmp_path / "db", images), 2)

    for numbers in ([0, 1], [2, 0], [1, 2]):
        pixels, labels = batches.read()
        assert pixels.dtype == labels.dtype == torch.float32
        assert labels.tolist() == numbers
        expected = np.stack([images[number].transpose(2, 0, 1) for number in numbers])
        np.testing.assert_array_equal(pixels, expected)


def test_logs_each_new_epoch_when_its_predecessor_is_used_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    batches = make(write_images(tmp_path / "db", [ramp(2, 2)] * 3), 2)

    counts = []
    for _ in range(6):
        batches.read()
        counts.append(caplog.messages.count("Restarting data prefetching from start."))

    assert counts == [0, 1, 2, 2, 3, 4]


def test_ranks_share_out_the_stream(tmp_path: Path) -> None:
    path = write_images(tmp_path / "db", [ramp(2, 2)] * 7)

    assert labels(make(path, 2, rank=0, world=3), 3) == [[0, 3], [6, 2], [5, 1]]
    assert labels(make(path, 2, rank=1, world=3), 3) == [[1, 4], [0, 3], [6, 2]]


def test_position_counts_the_records_of_all_ranks(tmp_path: Path) -> None:
    path = write_images(tmp_path / "db", [ramp(2, 2)] * 7)
    batches = make(path, 2, rank=2, world=3)
    batches.read()

    resumed = make(path, 2, rank=2, world=3, position=batches.position)

    assert batches.position == 6
    assert labels(resumed, 4) == labels(batches, 4)
    assert resumed.position == 30


AUGMENTED = """
    crop_h: 4 crop_w: 5 mirror: true random_resized_crop { }
    distort_param { hue_prob: 0.5 hue_delta: 18 contrast_prob: 0.5 contrast_upper: 2 }
    lighting_std: 0.1 lighting_file: "%s"
"""


@pytest.mark.parametrize("extension", [None, "png"], ids=["raw", "encoded"])
def test_augmentation_is_the_same_for_any_batch_size_number_of_threads_and_start(
    tmp_path: Path, extension: str | None
) -> None:
    write_pca(tmp_path / "pca.txt", Pca(np.array([900.0, 400.0, 100.0]), np.eye(3)))
    images = [ramp(9, 11, 3, start) for start in range(7)]
    path = write_images(tmp_path / "db", images, extension)
    prototxt = AUGMENTED % (tmp_path / "pca.txt")

    def read(size: int, count: int, **changes: int) -> Tensor:
        batches = make(path, size, prototxt, **changes)
        return torch.cat([batches.read()[0] for _ in range(count)])

    pixels = read(12, 2, workers=1)

    assert pixels.shape == (24, 3, 4, 5)
    assert len({image.numpy().tobytes() for image in pixels}) == 24
    assert torch.equal(read(3, 8, depth=5, workers=3), pixels)
    assert torch.equal(read(7, 2, position=10), pixels[10:])


@pytest.mark.parametrize("extension", [None, "png"], ids=["raw", "encoded"])
def test_ten_crops_of_each_image_and_one_label(tmp_path: Path, extension: str | None) -> None:
    path = write_images(tmp_path / "db", [ramp(4, 5, 3, start) for start in (0, 9)], extension)
    transform = make_transform("crop_size: 4 ten_crop: true", training=False)
    pixels, labels = Batches(Stream(Records(LMDB(path), None), 5, 0, 1, 0), transform, 2, 1).read()

    assert pixels.shape == (20, 3, 4, 4)
    assert labels.tolist() == [0, 1]
    right = ramp(4, 5, 3, 9)[:, 1:].transpose(2, 0, 1)
    np.testing.assert_array_equal(pixels[10 + 3], right)
    np.testing.assert_array_equal(pixels[10 + 8], right[..., ::-1])


@pytest.mark.parametrize("extension", [None, "png"], ids=["raw", "encoded"])
def test_is_the_same_for_any_batch_size_depth_number_of_threads_and_start(
    tmp_path: Path, extension: str | None
) -> None:
    images = [ramp(9, 11, 3, start) for start in range(7)]
    path = write_images(tmp_path / "db", images, extension)
    prototxt = "crop_size: 4 mirror: true"

    def read(size: int, count: int, **changes: int) -> Tensor:
        batches = make(path, size, prototxt, **changes)
        return torch.cat([batches.read()[0] for _ in range(count)])

    pixels = read(12, 2, workers=1)

    assert len({image.numpy().tobytes() for image in pixels}) > 7  # one record, several crops
    assert torch.equal(read(3, 8, depth=5, workers=3), pixels)
    assert torch.equal(read(7, 2, position=10), pixels[10:])
    assert torch.equal(read(6, 4, depth=0), pixels)


def test_float_records_stay_floats(tmp_path: Path) -> None:
    numbers = Datum(channels=1, height=1, width=2, float_data=[0.5, -1])
    path = write_datums(tmp_path / "db", [to_datum(ramp(1, 2, 1), 0), numbers])

    assert make(path, 2).read()[0].tolist() == [[[[0, 1]]], [[[0.5, -1]]]]


def test_crops_images_of_several_sizes(tmp_path: Path) -> None:
    path = write_images(tmp_path / "db", [ramp(4, 9), ramp(7, 5)])

    assert make(path, 4, "crop_size: 4").read()[0].shape == (4, 3, 4, 4)


def test_refuses_another_size_within_a_batch(tmp_path: Path) -> None:
    batches = make(write_images(tmp_path / "db", [ramp(4, 9), ramp(4, 9), ramp(7, 5)]), 2)
    batches.read()

    with pytest.raises(
        DataError,
        match=r"layer 'data' \(Data\): .*db: record '00' is 3x4x9, "
        r"but the first of its batch, .*db: record '02', is 3x7x5",
    ):
        batches.read()


def test_refuses_other_channels_despite_a_crop(tmp_path: Path) -> None:
    path = write_images(tmp_path / "db", [ramp(4, 9), ramp(4, 9, 1)])

    with pytest.raises(DataError, match=r"record '01' is 1x4x9, but .* '00', is 3x4x9"):
        make(path, 2, "crop_size: 4").read()


def test_an_error_is_raised_again_and_again(tmp_path: Path) -> None:
    damaged = Datum(data=b"\xff\xd8 damaged", encoded=True, label=3)
    path = write_datums(tmp_path / "db", [to_datum(ramp(2, 2), 0), damaged])
    batches = make(path, 1)
    batches.read()

    for _ in range(3):
        with pytest.raises(DataError, match="db: record '01': not an image"):
            batches.read()
    assert batches.position == 1


def test_threads_end_with_the_object(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    batches = make(write_images(tmp_path / "db", [ramp(4, 5)] * 3, "png"), 2)
    batches.read()
    begun = set(threading.enumerate()) - before
    assert {thread.name.partition("_")[0] for thread in begun} == {"reader", "decoder"}
    while any(thread.ident is None for thread in begun):  # which is just being started
        time.sleep(0.01)

    del batches

    for thread in begun:
        thread.join(timeout=5)
        assert not thread.is_alive()


EXIT = """
import sys
from tests.data.test_batches import make
batches = make(sys.argv[1], 2, depth=50)
batches.read()
sys.exit(3)
"""


@pytest.mark.slow
def test_does_not_keep_the_program_from_ending(tmp_path: Path) -> None:
    path = write_images(tmp_path / "db", [ramp(40, 50)] * 3, "png")

    done = subprocess.run(
        [sys.executable, "-c", EXIT, path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[2],
    )

    assert (done.returncode, done.stderr) == (3, "")
