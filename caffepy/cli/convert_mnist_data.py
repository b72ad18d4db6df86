"""`caffepy convert_mnist_data`: MNIST's files become a database."""

import argparse

from caffepy.cli.progress import counted
from caffepy.data.database import BACKENDS, create_database
from caffepy.data.mnist import convert_mnist

EPILOG = """\
example:
  caffepy convert_mnist_data train-images-idx3-ubyte train-labels-idx1-ubyte mnist_train_lmdb

The files may be gzipped, as they are published; Fashion-MNIST's and others of the format do too.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the two files, the database, and the flag of Caffe's tool."""
    parser.epilog = EPILOG
    parser.add_argument("images", metavar="IMAGE_FILE", help="the images: an idx3-ubyte file")
    parser.add_argument("labels", metavar="LABEL_FILE", help="their labels: an idx1-ubyte file")
    parser.add_argument("target", metavar="DB_FILE", help="the database's folder, a new one")
    parser.add_argument(
        "--backend", choices=BACKENDS, default="lmdb", help="kind of database (lmdb)"
    )


def run(args: argparse.Namespace) -> int:
    """Convert, and show how far it is on a terminal."""
    database = create_database(args.target, BACKENDS[args.backend])
    with counted("images") as progress:
        convert_mnist(args.images, args.labels, database, progress)
    return 0
