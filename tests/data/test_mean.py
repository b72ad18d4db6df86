import logging
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from caffepy.data.images import Pixels
from caffepy.data.lmdb import LMDB, LMDBWriter
from caffepy.data.mean import GROUP, compute_mean, write_mean
from caffepy.data.transform import read_mean
from caffepy.errors import DataError, SnapshotError
from caffepy.proto import BlobProto, Datum
from caffepy.proto.files import read_binary
from tests.data.databases import ramp, write_datums, write_images

COUNT = 2 * GROUP + 3  # more than one thread's share, and a rest


def silent(_done: int, _total: int) -> None:
    pass


def naive_mean(images: list[Pixels]) -> NDArray[np.float64]:
    """A pixel at a time, channels first."""
    height, width, channels = images[0].shape
    mean = np.empty((channels, height, width))
    for c, h, w in np.ndindex(channels, height, width):
        mean[c, h, w] = sum(int(image[h, w, c]) for image in images) / len(images)
    return mean


@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "colour"])
@pytest.mark.parametrize("extension", [None, "png"], ids=["raw", "encoded"])
def test_mean_of_images(tmp_path: Path, extension: str | None, channels: int) -> None:
    images = [ramp(4, 6, channels, 7 * number) for number in range(COUNT)]
    path = write_images(tmp_path / "db", images, extension)

    np.testing.assert_allclose(compute_mean(LMDB(path), silent), naive_mean(images), rtol=1e-14)


def test_sums_of_bytes_are_exact_and_do_not_overflow(tmp_path: Path) -> None:
    white = np.full((2, 3, 1), 255, np.uint8)
    path = write_images(tmp_path / "db", [white] * 300)

    assert compute_mean(LMDB(path), silent).tolist() == [[[255.0] * 3] * 2]


def test_mean_of_float_data_among_bytes(tmp_path: Path) -> None:
    path = write_datums(
        tmp_path / "db",
        [
            Datum(channels=1, height=1, width=2, float_data=[0.5, -3.0]),
            Datum(channels=1, height=1, width=2, data=bytes([2, 200])),
        ],
    )

    assert compute_mean(LMDB(path), silent).tolist() == [[[1.25, 98.5]]]


@pytest.mark.parametrize("extension", [None, "png"], ids=["raw", "encoded"])
@pytest.mark.parametrize("place", [1, COUNT - 1], ids=["second", "last"])
def test_refuses_images_of_two_sizes(tmp_path: Path, place: int, extension: str | None) -> None:
    images = [ramp(4, 6)] * COUNT
    images[place] = ramp(6, 4)
    path = write_images(tmp_path / "db", images, extension)

    with pytest.raises(
        DataError,
        match=rf"db: record '{place:02}' is 3 channels x 6 rows x 4 columns, "
        r"but the first, '00', is 3 channels x 4 rows x 6 columns",
    ):
        compute_mean(LMDB(path), silent)


def test_refuses_grey_among_colour(tmp_path: Path) -> None:
    path = write_images(tmp_path / "db", [ramp(4, 6), ramp(4, 6, 1)], "png")

    with pytest.raises(DataError, match=r"record '01' is 1 channels .* is 3 channels"):
        compute_mean(LMDB(path), silent)


def test_names_a_damaged_record(tmp_path: Path) -> None:
    good = Datum(channels=1, height=1, width=2, data=b"ab")
    broken = Datum(data=b"broken", encoded=True)
    path = write_datums(tmp_path / "db", [good, broken])

    with pytest.raises(DataError, match=r"db: record '01': not an image, or damaged"):
        compute_mean(LMDB(path), silent)


def test_refuses_an_empty_database(tmp_path: Path) -> None:
    path = write_datums(tmp_path / "db", [])

    with pytest.raises(DataError, match=r"db: an empty database: it holds no records"):
        compute_mean(LMDB(path), silent)


def test_logs_and_tells_progress(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    count = 10_000 + GROUP + 1
    with LMDBWriter(tmp_path / "db") as writer:
        for number in range(count):
            writer.put(
                b"%05d" % number,
                Datum(channels=1, height=1, width=1, data=b"a").SerializeToString(),
            )
    told: list[tuple[int, int]] = []

    compute_mean(LMDB(tmp_path / "db"), lambda *at: told.append(at))

    assert caplog.messages == [
        "Starting iteration",
        "Processed 10000 files.",
        f"Processed {count} files.",
    ]
    assert told == [*((done, count) for done in range(GROUP, count, GROUP)), (count, count)]


def test_the_file_has_four_axes_in_the_old_way_and_is_read_by_the_data_layer(
    tmp_path: Path,
) -> None:
    mean = np.arange(24.0).reshape(2, 3, 4) / 7
    path = tmp_path / "mean.binaryproto"

    write_mean(mean, path)

    blob = read_binary(path, BlobProto)
    assert (blob.num, blob.channels, blob.height, blob.width) == (1, 2, 3, 4)
    assert not blob.HasField("shape")
    np.testing.assert_array_equal(list(blob.data), mean.astype(np.float32).ravel())
    np.testing.assert_array_equal(read_mean(str(path)), mean.astype(np.float32))


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match=r"cannot write .*/none/mean"):
        write_mean(np.zeros((1, 2, 3)), tmp_path / "none" / "mean")
    assert list(tmp_path.iterdir()) == []
