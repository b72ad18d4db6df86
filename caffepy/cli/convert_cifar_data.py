"""`caffepy convert_cifar_data`: CIFAR-10's binary files become databases."""

import argparse
from pathlib import Path

from caffepy.data.cifar import convert_cifar
from caffepy.data.database import BACKENDS

EPILOG = """\
example:
  caffepy convert_cifar_data cifar-10-batches-bin . lmdb

INPUT_FOLDER holds data_batch_1.bin to data_batch_5.bin and test_batch.bin, "CIFAR-10 binary
version". OUTPUT_FOLDER/cifar10_train_lmdb and OUTPUT_FOLDER/cifar10_test_lmdb are written. Their
images are red first, as Caffe's are; those of convert_imageset are blue first.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words of Caffe's tool."""
    parser.epilog = EPILOG
    parser.add_argument("source", metavar="INPUT_FOLDER", type=Path, help="the batches' folder")
    parser.add_argument("target", metavar="OUTPUT_FOLDER", type=Path, help="the databases' folder")
    parser.add_argument("kind", metavar="DB_TYPE", choices=sorted(BACKENDS), help="lmdb or leveldb")


def run(args: argparse.Namespace) -> int:
    """Convert."""
    convert_cifar(args.source, args.target, args.kind)
    return 0
