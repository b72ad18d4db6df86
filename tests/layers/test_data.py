import logging
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from numpy.typing import NDArray

from caffepy.data.datum import to_datum
from caffepy.data.mean import write_mean
from caffepy.errors import DataError, LayerError
from caffepy.layers import data as data
from caffepy.layers.layer import Source, SourceLayer, build_source
from caffepy.proto import DataParameter, LayerParameter
from tests.data.databases import ramp, write_datums, write_images

TOPS = 'top: "data" top: "label"'


def make(
    data_param: str,
    transform_param: str = "",
    tops: str = TOPS,
    training: bool = False,
    rank: int = 0,
    world: int = 1,
    position: int = 0,
) -> SourceLayer:
    prototxt = f'name: "data" type: "Data" {tops} data_param {{ {data_param} }}'
    prototxt += f"transform_param {{ {transform_param} }}"
    source = Source(training, torch.device("cpu"), 5, rank, world, position)
    return build_source(text_format.Parse(prototxt, LayerParameter()), source)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A database of five raw images of 4 x 6 and their labels 0 to 4."""
    return write_images(tmp_path / "db", [ramp(4, 6, 3, start) for start in range(5)])


@pytest.mark.parametrize("backend", ["", "backend: LMDB"], ids=["found out", "given"])
def test_tops_are_transformed_images_and_labels(path: str, backend: str) -> None:
    layer = make(f'source: "{path}" batch_size: 2 {backend}', "mean_value: 3 scale: 0.5")

    assert layer.top_shapes() == [(2, 3, 4, 6), (2,)]
    for numbers in ([0, 1], [2, 3], [4, 0]):
        images, labels = layer.read()
        expected = np.stack([ramp(4, 6, 3, number).transpose(2, 0, 1) for number in numbers])
        np.testing.assert_array_equal(images, (expected.astype(np.float32) - 3) * 0.5)
        assert labels.tolist() == numbers
        assert images.dtype == labels.dtype == torch.float32
    assert layer.position == 6


def test_crop(path: str) -> None:
    layer = make(f'source: "{path}" batch_size: 1', "crop_size: 3")

    (images, _) = layer.read()

    assert layer.top_shapes() == [(1, 3, 3, 3), (1,)]
    np.testing.assert_array_equal(images[0], ramp(4, 6)[0:3, 1:4].transpose(2, 0, 1))


def write_mean_of_ramps(folder: Path) -> tuple[str, NDArray[np.float32]]:
    """A file with the mean of the five images, and what is in it."""
    mean = np.mean([ramp(4, 6, 3, start).transpose(2, 0, 1) for start in range(5)], axis=0)
    write_mean(mean, folder / "mean.binaryproto")
    return f'mean_file: "{folder / "mean.binaryproto"}"', mean.astype(np.float32)


@pytest.mark.parametrize("extension", [None, "png"], ids=["raw", "encoded"])
def test_mean_file_is_subtracted_where_the_crop_is(tmp_path: Path, extension: str | None) -> None:
    images = [ramp(4, 6, 3, start) for start in range(5)]
    path = write_images(tmp_path / "db", images, extension)
    mean_file, mean = write_mean_of_ramps(tmp_path)
    layer = make(f'source: "{path}" batch_size: 5', f"{mean_file} crop_size: 3 scale: 0.5")

    (cropped, _) = layer.read()

    expected = [(image.transpose(2, 0, 1) - mean)[:, 0:3, 1:4] * 0.5 for image in images]
    np.testing.assert_allclose(cropped, expected, rtol=1e-6)


def test_in_training_mean_file_moves_and_is_mirrored_with_the_crop(
    tmp_path: Path, path: str
) -> None:
    mean_file, mean = write_mean_of_ramps(tmp_path)
    layer = make(
        f'source: "{path}" batch_size: 40', f"{mean_file} crop_size: 3 mirror: true", training=True
    )

    found = set()
    for image, label in zip(*layer.read(), strict=True):
        whole = ramp(4, 6, 3, int(label)).transpose(2, 0, 1) - mean
        places = [
            (top, left, step)
            for top, left, step in product((0, 1), range(4), (1, -1))
            if np.allclose(image, whole[:, top : top + 3, left : left + 3][:, :, ::step])
        ]
        assert places
        found.update(places)
    assert {top for top, _, _ in found} == {0, 1}
    assert {left for _, left, _ in found} == {0, 1, 2, 3}
    assert {step for _, _, step in found} == {1, -1}


def test_a_mean_value_for_each_channel(path: str) -> None:
    values = "mean_value: 1 mean_value: 20 mean_value: 300"
    layer = make(f'source: "{path}" batch_size: 1', f"{values} crop_size: 3")

    (images, _) = layer.read()

    expected = ramp(4, 6)[0:3, 1:4].transpose(2, 0, 1) - np.array([[[1.0]], [[20.0]], [[300.0]]])
    np.testing.assert_array_equal(images[0], expected)


def test_refuses_a_mean_file_of_another_size(tmp_path: Path, path: str) -> None:
    write_mean(np.zeros((3, 6, 4)), tmp_path / "mean.binaryproto")
    layer = make(f'source: "{path}" batch_size: 1', f'mean_file: "{tmp_path}/mean.binaryproto"')

    with pytest.raises(DataError, match=r"mean.binaryproto is 3x6x4, .*record '00' is 3x4x6"):
        layer.top_shapes()


def test_one_top_is_the_images_alone(path: str) -> None:
    layer = make(f'source: "{path}" batch_size: 2', tops='top: "data"')

    assert layer.top_shapes() == [(2, 3, 4, 6)]
    assert [tuple(top.shape) for top in layer.read()] == [(2, 3, 4, 6)]


@pytest.mark.parametrize(
    ("force", "channels"), [("", 3), ("force_color: true", 3), ("force_gray: true", 1)]
)
def test_encoded_images(tmp_path: Path, force: str, channels: int) -> None:
    path = write_images(tmp_path / "db", [ramp(4, 6)] * 2, "png")
    layer = make(f'source: "{path}" batch_size: 2', force)

    assert layer.top_shapes()[0] == layer.read()[0].shape == (2, channels, 4, 6)


def test_top_shapes_do_not_move_the_position(path: str) -> None:
    layer = make(f'source: "{path}" batch_size: 2')
    layer.top_shapes()
    layer.top_shapes()

    assert layer.position == 0
    assert layer.read()[1].tolist() == [0, 1]


def test_the_shape_follows_the_first_record_of_each_batch(tmp_path: Path) -> None:
    path = write_images(tmp_path / "db", [ramp(4, 6), ramp(5, 3)])
    layer = make(f'source: "{path}" batch_size: 1')

    assert [tuple(layer.read()[0].shape) for _ in range(3)] == [
        (1, 3, 4, 6),
        (1, 3, 5, 3),
        (1, 3, 4, 6),
    ]


@pytest.mark.parametrize(
    ("training", "labels"), [(True, [1, 3]), (False, [0, 1])], ids=["train", "test"]
)
def test_ranks_share_records_in_training_only(path: str, training: bool, labels: list[int]) -> None:
    layer = make(f'source: "{path}" batch_size: 2', training=training, rank=1, world=2)

    assert layer.read()[1].tolist() == labels
    assert layer.position == (4 if training else 2)


def test_goes_on_where_an_earlier_run_stopped(path: str) -> None:
    crop = "crop_size: 2 mirror: true"
    whole = make(f'source: "{path}" batch_size: 2', crop, training=True)
    batches = [whole.read()[0] for _ in range(6)]

    resumed = make(f'source: "{path}" batch_size: 2', crop, training=True, position=6)

    assert resumed.position == 6
    assert all(torch.equal(resumed.read()[0], batch) for batch in batches[3:])


@pytest.mark.parametrize(
    ("data_param", "text", "field"),
    [
        pytest.param("batch_size: 1", "source, a database, is missing", "source", id="no source"),
        pytest.param('source: "none"', "batch_size must be 1 or more", "batch_size", id="no batch"),
        pytest.param(
            'source: "none" batch_size: 0', "batch_size must be 1 or more", "batch_size", id="empty"
        ),
        pytest.param(
            'source: "none" batch_size: 1 prefetch: 0',
            "prefetch must be",
            "prefetch",
            id="prefetch",
        ),
    ],
)
def test_says_what_is_missing_before_it_opens_anything(
    data_param: str, text: str, field: str
) -> None:
    with pytest.raises(LayerError, match=rf"^layer 'data' \(Data\): {text}") as caught:
        make(data_param)
    assert caught.value.field == f"data_param.{field}"


@pytest.mark.parametrize("shuffle", ["", "shuffle: true"], ids=["in order", "shuffled"])
@pytest.mark.parametrize("transform", ["", "crop_size: 3 mirror: true"], ids=["whole", "crop"])
def test_a_run_that_goes_on_sees_what_an_unbroken_one_sees(
    path: str, shuffle: str, transform: str
) -> None:
    param = f'source: "{path}" batch_size: 3 {shuffle}'
    unbroken = make(param, transform, training=True)
    for _ in range(4):
        unbroken.read()
    assert unbroken.position == 12

    resumed = make(param, transform, training=True, position=12)

    for _ in range(5):
        for one, other in zip(unbroken.read(), resumed.read(), strict=True):
            assert torch.equal(one, other)


def test_shuffled_epochs_are_dealt_to_ranks(path: str) -> None:
    param = f'source: "{path}" batch_size: 2 shuffle: true'
    whole = make(param, training=True)
    drawn = [int(label) for _ in range(15) for label in whole.read()[1]]
    assert drawn[:5] != [0, 1, 2, 3, 4]
    assert sorted(drawn[:5]) == sorted(drawn[5:10]) == [0, 1, 2, 3, 4]

    for rank in range(3):
        layer = make(param, training=True, rank=rank, world=3)
        assert [int(label) for _ in range(5) for label in layer.read()[1]] == drawn[rank::3]


def test_refuses_the_wrong_backend(path: str) -> None:
    with pytest.raises(LayerError, match=r"backend is LEVELDB, but .* of backend LMDB") as caught:
        make(f'source: "{path}" batch_size: 1 backend: LEVELDB')
    assert caught.value.field == "data_param.backend"


def test_reads_leveldb(tmp_path: Path) -> None:
    images = [ramp(4, 6, 3, start) for start in range(5)]
    path = write_images(tmp_path / "db", images, backend=DataParameter.LEVELDB)
    layer = make(f'source: "{path}" batch_size: 4')

    assert layer.top_shapes() == [(4, 3, 4, 6), (4,)]
    assert [layer.read()[1].tolist() for _ in range(2)] == [[0, 1, 2, 3], [4, 0, 1, 2]]
    np.testing.assert_array_equal(layer.read()[0][0], images[3].transpose(2, 0, 1))


def test_refuses_the_wrong_backend_of_leveldb(tmp_path: Path) -> None:
    path = write_images(tmp_path / "db", [ramp(4, 6)], backend=DataParameter.LEVELDB)

    with pytest.raises(LayerError, match=r"backend is LMDB, but .* of backend LEVELDB"):
        make(f'source: "{path}" batch_size: 1 backend: LMDB')


def test_refuses_a_missing_database() -> None:
    with pytest.raises(DataError, match=r"^none: no such database"):
        make('source: "none" batch_size: 1')


def test_refuses_a_contradiction(path: str) -> None:
    with pytest.raises(LayerError, match="mean_file and mean_value are both set"):
        make(f'source: "{path}" batch_size: 1', 'mean_file: "x" mean_value: 3')


def test_refuses_a_crop_larger_than_the_images(path: str) -> None:
    with pytest.raises(DataError, match=r"crop_size is 5; .*record '00' has only 4 rows"):
        make(f'source: "{path}" batch_size: 1', "crop_size: 5").top_shapes()


def test_an_error_of_a_later_record_is_raised_when_its_batch_is_read(tmp_path: Path) -> None:
    short = to_datum(ramp(4, 6), 0)
    short.height = 5
    path = write_datums(tmp_path / "db", [to_datum(ramp(4, 6), 0), short])
    layer = make(f'source: "{path}" batch_size: 1')
    layer.read()

    with pytest.raises(DataError, match=r"record '01': 72 numbers for an image of 3 ch.*, 5 rows"):
        layer.read()


@pytest.mark.parametrize(
    ("data_param", "transform_param", "text"),
    [
        pytest.param("rand_skip: 3", "", "data_param.rand_skip does nothing", id="rand_skip"),
        pytest.param(
            "force_encoded_color: true", "", "force_encoded_color does nothing", id="encoded"
        ),
        pytest.param("", "force_gray: true", "do nothing to raw records", id="force_gray"),
    ],
)
def test_says_what_does_nothing(
    path: str, data_param: str, transform_param: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    make(f'source: "{path}" batch_size: 1 {data_param}', transform_param).top_shapes()

    assert text in caplog.text


SOAK = """
import sys
from pathlib import Path
from tests.layers.test_data import make

layer = make(sys.argv[1], sys.argv[2], training=True)
for batch in range(20_000):
    layer.read()
    if batch in (999, 19_999):
        print(Path("/proc/self/statm").read_text().split()[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", [DataParameter.LMDB, DataParameter.LEVELDB])
@pytest.mark.parametrize("extension", [None, "png"], ids=["raw", "encoded"])
def test_memory_does_not_grow(
    tmp_path: Path, extension: str | None, backend: DataParameter.DB
) -> None:
    images = [ramp(110, 120, 3, start) for start in range(9)]
    path = write_images(tmp_path / "db", images, extension, backend)
    mean_file = tmp_path / "mean.binaryproto"
    write_mean(np.zeros((3, 110, 120)), mean_file)
    data_param = f'source: "{path}" batch_size: 4 shuffle: true'
    transform_param = f'mean_file: "{mean_file}" crop_size: 60 mirror: true'

    done = subprocess.run(
        [sys.executable, "-c", SOAK, data_param, transform_param],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )

    early, late = map(int, done.stdout.split())  # pages in memory
    assert late < 1.05 * early
