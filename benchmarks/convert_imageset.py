#!/usr/bin/env python3
"""Image files into an LMDB, against a plain loop of Pillow and lmdb calls.

usage: convert_imageset.py FOLDER [--turns 5] [--images N]

FOLDER holds images, in any number of folders within. All of them are taken, and few ones again and
again until there are 1,000, or as many as --images says. Two jobs: raw pixels resized to 256x256,
and the files as they are, which are decoded all the same, to know that they can be. caffepy runs
them on all cores, and again on one.
The plain loop decodes, resizes by Pillow's BILINEAR, makes a Datum and puts it, 1000 a transaction.
Each turn is a process of its own, begun when all is imported; they take turns. Prints the median
images a second, and the ratio of all cores to the plain loop.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path
from statistics import median

import lmdb
import numpy as np
from PIL import Image

from caffepy.cli.heap import keep_freed_memory
from caffepy.data.convert import Images, Options, convert
from caffepy.data.image_list import Entry
from caffepy.data.image_record import Form
from caffepy.proto import Datum

SIZE = 256
COMMIT = 1000
LEAST = 1000
JOBS = ("raw", "encoded")
RUNS = {"caffepy, all cores": os.cpu_count() or 1, "caffepy, one core": 1, "plain loop": 0}


def caffepy(paths: list[str], target: str, job: str) -> None:
    """Convert as `caffepy convert_imageset` does."""
    keep_freed_memory()
    form = Form(size=(SIZE, SIZE)) if job == "raw" else Form(encode="")
    entries = [Entry(path, number % 1000, number + 1) for number, path in enumerate(paths)]
    convert(Images("photographs", "", entries), target, Options(form))


def plain(paths: list[str], target: str, job: str) -> None:
    """The loop that one writes without caffepy."""
    environment = lmdb.open(target, map_size=1 << 36)
    transaction = environment.begin(write=True)
    for number, path in enumerate(paths):
        data = Path(path).read_bytes()
        image = Image.open(BytesIO(data)).convert("RGB")
        datum = Datum(label=number % 1000)
        if job == "raw":
            pixels = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))
            datum.channels, datum.height, datum.width = 3, SIZE, SIZE
            datum.data = pixels[..., ::-1].transpose(2, 0, 1).tobytes()
        else:
            datum.data, datum.encoded = data, True
        transaction.put(f"{number:08d}_{path}".encode()[:511], datum.SerializeToString())
        if number % COMMIT == COMMIT - 1:
            transaction.commit()
            transaction = environment.begin(write=True)
    transaction.commit()
    environment.close()


def image_files(folder: str) -> list[str]:
    """The images in a folder, and in those within."""
    suffixes = Image.registered_extensions()
    found = Path(folder).rglob("*")
    return sorted(str(path) for path in found if path.suffix.lower() in suffixes)


def once(folder: str, count: int, job: str, cores: int) -> None:
    """Do a job in this process, and print how many images a second that was."""
    found = image_files(folder)
    paths = [found[number % len(found)] for number in range(count)]
    if cores:
        os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:cores])
    with tempfile.TemporaryDirectory() as scratch:
        start = time.perf_counter()
        (caffepy if cores else plain)(paths, f"{scratch}/db", job)
        print(count / (time.perf_counter() - start))


def measure(args: argparse.Namespace, job: str, cores: int) -> float:
    """Images a second of one process."""
    words = [__file__, args.folder, "--images", str(args.images), "--once", job, str(cores)]
    return float(subprocess.check_output([sys.executable, *words]))


def main() -> None:
    """Let the runs take turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--images", type=int)
    parser.add_argument("--once", nargs=2, metavar=("JOB", "CORES"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.images = args.images or max(len(image_files(args.folder)), LEAST)
    if args.once:
        once(args.folder, args.images, args.once[0], int(args.once[1]))
        return
    for job in JOBS:
        turns = [[measure(args, job, cores) for cores in RUNS.values()] for _ in range(args.turns)]
        rates = [median(column) for column in zip(*turns, strict=True)]
        print(f"{job}: median images/s of {args.turns} turns of {args.images} images")
        for name, rate in zip(RUNS, rates, strict=True):
            print(f"  {name:20} {rate:7.0f}")
        print(f"  ratio of all cores   {rates[0] / rates[-1]:7.2f}")


if __name__ == "__main__":
    main()
