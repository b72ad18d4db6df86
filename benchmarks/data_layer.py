#!/usr/bin/env python3
"""The Data layer: images a second, against a Dataset and a DataLoader of torch's.

usage: data_layer.py [--photos FOLDER] [--turns 5] [--batches 30] [--workers N]

Two LMDBs of 1,000 images of 256x256, raw and as JPEG files, are made of the photographs in a folder
(of noise where none is given) and read as CaffeNet is trained on them: random crops of 227x227,
mirrored or not, less the mean image, in batches of 64. The other side is what torchvision's users
write, with the same LMDB: Pillow decodes, numpy crops, mirrors and subtracts, a DataLoader of as
many workers makes the batches, in processes. Both must give the same pixels for the same crops.
They take turns; the first batches of each turn, which wait for threads and processes to begin, are
not counted. Prints the median and best of each in images a second, and how busy the machine was.
"""

import argparse
import io
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median

import lmdb
import numpy as np
import torch
from google.protobuf import text_format
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler

from caffepy.cli.main import main as caffepy
from caffepy.data.lmdb import LMDB
from caffepy.data.transform import read_mean
from caffepy.layers import data as data
from caffepy.layers.layer import Source, build_source
from caffepy.proto import Datum, LayerParameter

IMAGES, SIDE, CROP, BATCH = 1000, 256, 227, 64
KINDS = {"raw": None, "encoded": "jpg"}

LAYER = """
name: "data" type: "Data" top: "data" top: "label"
data_param { source: "%s" batch_size: %d backend: LMDB %s }
transform_param { crop_size: %d mirror: %s mean_file: "%s" }
"""


class Records(Dataset[tuple[NDArray[np.float32], int]]):
    """The records of an LMDB as a Dataset of images, cropped at random in training."""

    def __init__(self, path: str, mean: NDArray[np.float32], training: bool) -> None:
        self.path = path
        self.mean = mean
        self.training = training
        self.environment: lmdb.Environment | None = None
        self.keys = list(LMDB(path).keys())

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], int]:
        if self.environment is None:
            self.environment = lmdb.open(self.path, readonly=True, lock=False)
        with self.environment.begin() as transaction:
            datum = Datum.FromString(transaction.get(self.keys[index]))
        if datum.encoded:
            rgb = np.asarray(Image.open(io.BytesIO(datum.data)).convert("RGB"))
            image = rgb[:, :, ::-1].transpose(2, 0, 1)
        else:
            image = np.frombuffer(datum.data, np.uint8).reshape(3, SIDE, SIDE)
        spare = SIDE - CROP
        top = left = spare // 2
        mirror = False
        if self.training:
            top, left = torch.randint(spare + 1, (2,)).tolist()
            mirror = torch.rand(1).item() < 0.5
        rows, columns = slice(top, top + CROP), slice(left, left + CROP)
        x = image[:, rows, columns].astype(np.float32) - self.mean[:, rows, columns]
        return np.ascontiguousarray(x[:, :, ::-1] if mirror else x), datum.label


def make_databases(folder: Path, photos: Path | None) -> None:
    """raw, encoded and mean.binaryproto in the folder."""
    if photos is None:
        photos = folder / "photos"
        photos.mkdir()
        noise = np.random.default_rng(0)
        for number in range(25):
            small = noise.integers(0, 256, (24, 24, 3), np.uint8)
            Image.fromarray(small).resize((500, 375)).save(photos / f"{number}.jpg")
    names = sorted(path.name for path in photos.iterdir())
    lines = [f"{names[number % len(names)]} {number}\n" for number in range(IMAGES)]
    (folder / "list.txt").write_text("".join(lines))
    for kind, encode in KINDS.items():
        flags = ["--resize-height", f"{SIDE}", "--resize-width", f"{SIDE}"]
        flags += [] if encode is None else ["--encode-type", encode]
        caffepy(
            ["convert_imageset", *flags, f"{photos}/", f"{folder}/list.txt", f"{folder}/{kind}"]
        )
    caffepy(["compute_image_mean", f"{folder}/raw", f"{folder}/mean.binaryproto"])


def ours(folder: Path, kind: str, training: bool, workers: int) -> Iterator[Tensor]:
    """Batches of the Data layer."""
    mirror, shuffle = str(training).lower(), "shuffle: true" if training else ""
    values = (folder / kind, BATCH, shuffle, CROP, mirror, folder / "mean.binaryproto")
    param = text_format.Parse(LAYER % values, LayerParameter())
    source = Source(training, torch.device("cpu"), seed=1, workers=workers)
    layer = build_source(param, source)
    while True:
        yield layer.read()[0]


def theirs(folder: Path, kind: str, training: bool, workers: int) -> Iterator[Tensor]:
    """Batches of the DataLoader, epoch after epoch."""
    mean = read_mean(str(folder / "mean.binaryproto")).numpy()
    copy = folder / f"{kind} once more"  # a process opens an LMDB once
    if not copy.exists():
        shutil.copytree(folder / kind, copy)
    records = Records(str(copy), mean, training)
    sampler = RandomSampler(records, num_samples=10**6) if training else None
    loader = DataLoader(records, BATCH, sampler=sampler, num_workers=workers)
    for images, _labels in loader:
        yield images


def rate(batches: Iterator[Tensor], count: int) -> float:
    """Images a second, over `count` batches after the first ones."""
    for _ in islice(batches, 10):
        pass
    begun = time.perf_counter()
    for _ in islice(batches, count):
        pass
    return count * BATCH / (time.perf_counter() - begun)


def check_equal(folder: Path, kind: str) -> None:
    """Both sides give the same pixels where the crop is central."""
    one, other = next(ours(folder, kind, False, 1)), next(theirs(folder, kind, False, 0))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


def main() -> None:
    """Measure both kinds of database."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, help="a folder of image files")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--batches", type=int, default=30)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_databases(folder, args.photos)
        for kind in KINDS:
            check_equal(folder, kind)
            rates: dict[str, list[float]] = {"caffepy": [], "DataLoader": []}
            for _ in range(args.turns):
                for side, make in (("caffepy", ours), ("DataLoader", theirs)):
                    batches = make(folder, kind, True, args.workers)
                    rates[side].append(rate(batches, args.batches))
            report(kind, rates)


def report(kind: str, rates: dict[str, list[float]]) -> None:
    """Print what was measured of one kind of database."""
    for side, found in rates.items():
        print(f"{kind:<8} {side:<11} median {median(found):7.0f}  best {max(found):7.0f} images/s")
    pairs = zip(rates["caffepy"], rates["DataLoader"], strict=True)
    ratios = [one / other for one, other in pairs]
    print(f"{kind:<8} caffepy is {median(ratios):.2f} times as fast (best turn {max(ratios):.2f})")
    print(f"{'':<8} load of the machine, 1 min: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
