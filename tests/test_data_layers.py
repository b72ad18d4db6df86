"""Batches of the data layers, through pycaffe, against Caffe's formulas written out plainly."""

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

import caffepy.pycaffe as caffe
from caffepy.data.datum import encoded_datum, to_datum
from caffepy.data.images import encode_image
from caffepy.proto import BlobProto, DataParameter
from tests.data.databases import write_datums

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]

LEVEL = 1.01  # resized pixels are rounded


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def noise(height: int, width: int, seed: int) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def batches(layer: str, count: int) -> list[dict[str, NDArray[np.float32]]]:
    """What the tops of a net of one layer hold after each of some passes, in phase TEST."""
    Path("net.prototxt").write_text(f'layer {{ name: "in" {layer} }}')
    net = caffe.Net("net.prototxt", caffe.TEST)
    made = []
    for _ in range(count):
        net.forward()
        made.append({name: blob.data.copy() for name, blob in net.blobs.items()})
    return made


def write_mean(path: str, mean: NDArray[np.float32]) -> None:
    channels, height, width = mean.shape
    blob = BlobProto(num=1, channels=channels, height=height, width=width, data=mean.ravel())
    Path(path).write_bytes(blob.SerializeToString())


def bilinear(image: Image, height: int, width: int) -> Floats:
    """Each pixel out of the four around its centre, those beyond the border being the border's."""
    rows, columns = image.shape[:2]
    made = np.zeros((height, width, image.shape[2]))
    for y in range(height):
        for x in range(width):
            v, u = (y + 0.5) * rows / height - 0.5, (x + 0.5) * columns / width - 0.5
            top, left = int(np.floor(v)), int(np.floor(u))
            for row, a in ((top, 1 - (v - top)), (top + 1, v - top)):
                for column, b in ((left, 1 - (u - left)), (left + 1, u - left)):
                    place = min(max(row, 0), rows - 1), min(max(column, 0), columns - 1)
                    made[y, x] += a * b * image[place]
    return made


def test_image_data_resized_in_grey_cropped_less_a_mean_times_a_scale() -> None:
    images = [noise(17, 23, 0), noise(19, 27, 1), noise(12, 31, 2)]
    for index, image in enumerate(images):
        Path(f"image {index}.bmp").write_bytes(encode_image(image, "bmp"))
    Path("list.txt").write_text("".join(f"image {index}.bmp {index + 4}\n" for index in range(3)))

    made = batches(
        'type: "ImageData" top: "data" top: "label" '
        'image_data_param { source: "list.txt" root_folder: "./" batch_size: 4 is_color: false '
        "new_height: 15 new_width: 18 } "
        "transform_param { crop_size: 10 mean_value: 33 scale: 0.5 }",
        2,
    )

    grey = [np.rint(image @ np.array([0.114, 0.587, 0.299]))[:, :, None] for image in images]
    crops = [bilinear(each, 15, 18)[2:12, 4:14].transpose(2, 0, 1) for each in grey]
    for batch, order in zip(made, ([0, 1, 2, 0], [1, 2, 0, 1]), strict=True):
        expected = (np.stack([crops[index] for index in order]) - 33) * 0.5
        np.testing.assert_allclose(batch["data"], expected, rtol=0, atol=LEVEL * 0.5)
        np.testing.assert_array_equal(batch["label"], [index + 4 for index in order])


def away_from_zero(number: float) -> int:
    return int(np.trunc(number + np.copysign(0.5, number)))


def axis(first: int, last: int, length: int, crop: int, pad: int, half: float) -> Sequence[int]:
    """Of a box along one axis: the pixels it is cut from and to, where they begin, how many."""
    reach = half * crop / (crop - 2 * pad)
    centre = first + (last - first + 1) / 2
    first, last = away_from_zero(centre - reach), away_from_zero(centre + reach)
    scale = crop / (last - first + 1)
    before = max(0, -first)
    first, last = max(first, 0), min(last, length - 1)
    start = away_from_zero(before * scale)
    return first, last, start, min(away_from_zero((last - first + 1) * scale), crop - start)


def window(
    image: Image, box: Sequence[int], crop: int, pad: int, square: bool, mean: NDArray[np.float32]
) -> Floats:
    """A window of an image, less the middle of a mean image; 0 outside of the image."""
    x1, y1, x2, y2 = box
    rows: Sequence[int] = (y1, y2, 0, crop)
    columns: Sequence[int] = (x1, x2, 0, crop)
    if pad or square:
        half_y, half_x = (y2 - y1 + 1) / 2, (x2 - x1 + 1) / 2
        if square:
            half_y = half_x = max(half_y, half_x)
        rows = axis(y1, y2, image.shape[0], crop, pad, half_y)
        columns = axis(x1, x2, image.shape[1], crop, pad, half_x)
    cut = image[rows[0] : rows[1] + 1, columns[0] : columns[1] + 1]
    part = bilinear(cut, rows[3], columns[3]).transpose(2, 0, 1)
    offset = (mean.shape[2] - crop) // 2
    middle = mean[:, offset : offset + crop, offset : offset + crop]
    inside = (slice(rows[2], rows[2] + rows[3]), slice(columns[2], columns[2] + columns[3]))
    made = np.zeros((3, crop, crop))
    made[:, *inside] = part - middle[:, *inside]
    return made


@pytest.mark.parametrize("pad", [0, 3])
@pytest.mark.parametrize("mode", ["warp", "square"])
def test_window_data_background_first_each_less_the_middle_of_the_mean(mode: str, pad: int) -> None:
    image = noise(40, 50, 3)
    Path("image.png").write_bytes(encode_image(image, "png"))
    mean = np.random.default_rng(4).uniform(0, 99, (3, 26, 22)).astype(np.float32)
    write_mean("mean.binaryproto", mean)
    thing, background = (0, 5, 22, 30), (30, 20, 49, 39)
    Path("windows.txt").write_text(
        "# 0\nimage.png\n3\n40\n50\n2\n3 0.8 0 5 22 30\n5 0.1 30 20 49 39\n"
    )

    made = batches(
        'type: "WindowData" top: "data" top: "label" window_data_param { source: "windows.txt" '
        f'batch_size: 5 fg_fraction: 0.5 context_pad: {pad} crop_mode: "{mode}" scale: 0.25 }} '
        'transform_param { crop_size: 20 mean_file: "mean.binaryproto" }',
        2,
    )

    boxes = [background] * 3 + [thing] * 2
    expected = [0.25 * window(image, box, 20, pad, mode == "square", mean) for box in boxes]
    for batch in made:
        np.testing.assert_allclose(batch["data"], expected, rtol=0, atol=LEVEL * 0.25)
        np.testing.assert_array_equal(batch["label"], [0, 0, 0, 3, 3])


def test_hdf5_data_over_several_files_and_back_from_hdf5_output() -> None:
    rows = np.random.default_rng(5).normal(size=(9, 2, 3)).astype(np.float32)
    labels = np.arange(9, dtype=np.float64)
    for name, part in (("a", slice(0, 3)), ("b", slice(3, 7)), ("c", slice(7, 9))):
        with h5py.File(f"{name}.h5", "w") as file:
            file["x"], file["y"] = rows[part], labels[part]
    Path("list.txt").write_text("a.h5\nb.h5\nc.h5\n")
    Path("again.txt").write_text("again.h5\n")
    source = 'type: "HDF5Data" hdf5_data_param { source: "%s" batch_size: 5 } top: "%s" top: "%s"'
    sink = '} layer { name: "out" type: "HDF5Output" bottom: "x" bottom: "y" '
    sink += 'hdf5_output_param { file_name: "again.h5" }'

    made = batches(f"{source % ('list.txt', 'x', 'y')} {sink}", 2)
    again = batches(source % ("again.txt", "data", "label"), 2)

    for number, (batch, copy) in enumerate(zip(made, again, strict=True)):
        order = (np.arange(5) + 5 * number) % 9
        np.testing.assert_array_equal(batch["x"], rows[order])
        np.testing.assert_array_equal(batch["y"], labels[order])
        np.testing.assert_array_equal(copy["data"], rows[order][..., None])
        np.testing.assert_array_equal(copy["label"], labels[order][:, None, None, None])


@pytest.mark.parametrize("skip", ["", "rand_skip: 3"], ids=["", "rand_skip"])
@pytest.mark.parametrize(
    "backend", [DataParameter.LMDB, DataParameter.LEVELDB], ids=["lmdb", "leveldb"]
)
def test_data_less_a_mean_image_and_then_cropped(backend: DataParameter.DB, skip: str) -> None:
    images = [noise(9, 11, seed) for seed in range(5)]
    datums = [to_datum(image, label - 2) for label, image in enumerate(images)]
    write_datums(Path("db"), datums, backend)
    mean = np.random.default_rng(6).uniform(0, 99, (3, 9, 11)).astype(np.float32)
    write_mean("mean.binaryproto", mean)

    made = batches(
        'type: "Data" top: "data" top: "label" '
        f'data_param {{ source: "db" backend: {DataParameter.DB.Name(backend)} batch_size: 3 {skip} }} '
        'transform_param { crop_size: 6 mean_file: "mean.binaryproto" scale: 2 }',
        2,
    )

    for batch, order in zip(made, ([0, 1, 2], [3, 4, 0]), strict=True):
        whole = np.stack([images[index].transpose(2, 0, 1) - mean for index in order]) * 2
        np.testing.assert_allclose(batch["data"], whole[:, :, 1:7, 2:8], rtol=1e-6)
        np.testing.assert_array_equal(batch["label"], [index - 2 for index in order])


def test_data_of_files_in_colour_that_are_made_grey_without_labels() -> None:
    images = [noise(9, 11, seed) for seed in (7, 8)]
    write_datums(Path("db"), [encoded_datum(encode_image(each, "bmp"), 1) for each in images])

    (batch,) = batches(
        'type: "Data" top: "data" data_param { source: "db" backend: LMDB batch_size: 2 } '
        "transform_param { force_gray: true mean_value: 7 }",
        1,
    )

    grey = np.stack(images) @ np.array([0.114, 0.587, 0.299]) - 7
    np.testing.assert_allclose(batch["data"], grey[:, None], rtol=0, atol=LEVEL)
    assert set(batch) == {"data"}


def test_memory_data_of_which_the_labels_get_four_axes_with_the_first_pass() -> None:
    data = np.random.default_rng(9).normal(size=(6, 3, 4, 5)).astype(np.float32)
    labels = np.arange(6, dtype=np.float32)
    Path("net.prototxt").write_text(
        'layer { name: "in" type: "MemoryData" top: "data" top: "label" '
        "memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 } }"
    )
    net = caffe.Net("net.prototxt", caffe.TEST)
    assert net.blobs["label"].data.shape == (2,)

    net.set_input_arrays(data, labels)

    for first in (0, 2, 4, 0):
        net.forward()
        np.testing.assert_array_equal(net.blobs["data"].data, data[first : first + 2])
        expected = labels[first : first + 2, None, None, None]
        np.testing.assert_array_equal(net.blobs["label"].data, expected, strict=True)
