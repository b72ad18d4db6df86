"""Databases and images by formula, for the tests of what reads them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caffepy.data.database import create_database
from caffepy.data.datum import encoded_datum, to_datum
from caffepy.data.images import Pixels, encode_image
from caffepy.proto import DataParameter, Datum


def ramp(height: int, width: int, channels: int = 3, start: int = 0) -> Pixels:
    """An image (H, W, C) whose numbers count up from `start`, modulo 251."""
    count = height * width * channels
    counted: NDArray[np.int64] = np.arange(start, start + count) % 251
    return counted.astype(np.uint8).reshape(height, width, channels)


def write_records(path: Path, count: int = 5, size: int = 3, *, backend: DataParameter.DB) -> Path:
    """A database of records 000000, 000001, …, each `size` bytes, all equal to its number."""
    with create_database(path, backend) as writer:
        for number in range(count):
            writer.put(b"%06d" % number, bytes([number % 256]) * size)
    return path


def write_datums(
    path: Path, datums: list[Datum], backend: DataParameter.DB = DataParameter.LMDB
) -> str:
    """A database of these records under the keys 00, 01, …; its path."""
    with create_database(path, backend) as writer:
        for number, datum in enumerate(datums):
            writer.put(b"%02d" % number, datum.SerializeToString())
    return str(path)


def write_images(
    path: Path,
    images: list[Pixels],
    extension: str | None = None,
    backend: DataParameter.DB = DataParameter.LMDB,
) -> str:
    """A database of images, labelled 0, 1, …: raw, or as files of a type such as "png"."""
    return write_datums(
        path,
        [
            to_datum(image, label)
            if extension is None
            else encoded_datum(encode_image(image, extension), label)
            for label, image in enumerate(images)
        ],
        backend,
    )


def write_list(folder: Path, images: list[Pixels]) -> tuple[str, str]:
    """A list of images 0.png, 1.png, … labelled 0, 1, …; its path, and their folder with a slash."""
    (folder / "images").mkdir()
    for number, image in enumerate(images):
        (folder / "images" / f"{number}.png").write_bytes(encode_image(image, "png"))
    path = folder / "list.txt"
    path.write_text("".join(f"{number}.png {number}\n" for number in range(len(images))))
    return str(path), f"{folder}/images/"
