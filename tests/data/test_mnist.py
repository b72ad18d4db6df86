import gzip
import logging
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from caffepy.data.database import create_database, open_database
from caffepy.data.datum import parse_datum
from caffepy.data.mnist import IMAGES, LABELS, convert_mnist, read_idx
from caffepy.errors import DataError
from caffepy.proto import DataParameter

PIXELS = (np.arange(3 * 4 * 5, dtype=np.uint8) * 4).reshape(3, 4, 5)
DIGITS = np.array([7, 0, 255], np.uint8)


def silent(_done: int, _total: int) -> None:
    pass


def idx(numbers: NDArray[np.uint8]) -> bytes:
    """The IDX file of some bytes: zero, zero, the type, the number of axes, the sizes, the bytes."""
    header = bytes([0, 0, 8, numbers.ndim]) + np.array(numbers.shape, ">i4").tobytes()
    return header + numbers.tobytes()


def write(folder: Path, images: bytes, labels: bytes) -> tuple[Path, Path]:
    (folder / "images").write_bytes(images)
    (folder / "labels").write_bytes(labels)
    return folder / "images", folder / "labels"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
@pytest.mark.parametrize("backend", [DataParameter.LMDB, DataParameter.LEVELDB])
def test_every_image_is_a_grey_record(
    tmp_path: Path, pack: type[bytes], backend: DataParameter.DB
) -> None:
    paths = write(tmp_path, pack(idx(PIXELS)), pack(idx(DIGITS)))

    assert convert_mnist(*paths, create_database(tmp_path / "db", backend), silent) == 3

    database = open_database(tmp_path / "db", backend)
    assert list(database.keys()) == [b"00000000", b"00000001", b"00000002"]
    for key, image, label in zip(database.keys(), PIXELS, [7, 0, 255], strict=True):
        datum = parse_datum(database.get(key))
        assert (datum.channels, datum.height, datum.width, datum.label) == (1, 4, 5, label)
        assert datum.data == image.tobytes()
        assert not datum.encoded


def test_logs_and_tells_progress(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    told: list[tuple[int, int]] = []
    database = create_database(tmp_path / "db", DataParameter.LMDB)

    convert_mnist(*write(tmp_path, idx(PIXELS), idx(DIGITS)), database, lambda *at: told.append(at))

    assert caplog.messages == ["A total of 3 items.", "Rows: 4 Cols: 5", "Processed 3 files."]
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        pytest.param(
            idx(DIGITS),
            idx(DIGITS),
            r"images: not an IDX file of images \(3 axes\): .* the magic number is 2051; "
            r"2049 is that of labels",
            id="labels for images",
        ),
        pytest.param(
            idx(PIXELS), idx(PIXELS), "labels: .* 2049; 2051 is that of images", id="images twice"
        ),
        pytest.param(b"", idx(DIGITS), "images: not an IDX file .* has 0 bytes", id="empty"),
        pytest.param(idx(PIXELS)[:9], idx(DIGITS), "images: not an IDX .* 9 bytes", id="header"),
        pytest.param(b"\x89PNG" * 9, idx(DIGITS), "begins with 2303741511", id="another file"),
        pytest.param(
            idx(PIXELS)[:-1],
            idx(DIGITS),
            r"images: cut short: 75 bytes, and shape \(3, 4, 5\) takes 76",
            id="cut short",
        ),
        pytest.param(idx(PIXELS), idx(DIGITS) + b"0", "labels: too long: 12 bytes", id="too long"),
        pytest.param(
            idx(PIXELS), idx(DIGITS[:2]), "3 images, but .*labels has 2 labels", id="counts"
        ),
        pytest.param(
            idx(PIXELS[:0]), idx(DIGITS[:0]), r"\(0, 4, 5\): there is nothing in it", id="none"
        ),
        pytest.param(
            gzip.compress(idx(PIXELS))[:-9], idx(DIGITS), "damaged gzip file", id="gzip cut short"
        ),
        pytest.param(
            gzip.compress(idx(PIXELS))[:20] + b"x" * 40, idx(DIGITS), "damaged gzip", id="gzip"
        ),
    ],
)
def test_refuses_and_leaves_no_database(
    tmp_path: Path, images: bytes, labels: bytes, message: str
) -> None:
    paths = write(tmp_path, images, labels)
    database = create_database(tmp_path / "db", DataParameter.LMDB)

    with pytest.raises(DataError, match=message):
        convert_mnist(*paths, database, silent)

    assert sorted(tmp_path.iterdir()) == list(paths)


def test_sizes_that_do_not_fit_memory_are_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(bytes([0, 0, 8, 3]) + b"\xff" * 12 + b"few")

    with pytest.raises(DataError, match="cut short: 19 bytes"):
        read_idx(path, IMAGES)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none': No such file"):
        read_idx(tmp_path / "none", LABELS)
