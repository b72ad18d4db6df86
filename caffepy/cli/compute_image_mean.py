"""`caffepy compute_image_mean`: the mean image of a database."""

import argparse
import logging

from caffepy.cli.database import add_database, named_database
from caffepy.cli.progress import counted
from caffepy.data.folder import check_target
from caffepy.data.mean import compute_mean, write_mean

log = logging.getLogger(__name__)

EPILOG = """\
example:
  caffepy compute_image_mean train_lmdb mean.binaryproto

Nets subtract the file with `transform_param { mean_file: "mean.binaryproto" }`, or the numbers that
are printed, one a channel, blue first, with `mean_value`. All images must have one size.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the database, the file, and the flag of Caffe's tool."""
    parser.epilog = EPILOG
    add_database(parser)
    parser.add_argument(
        "target", metavar="OUTPUT_FILE", nargs="?", help="the mean image (binaryproto) to write"
    )


def run(args: argparse.Namespace) -> int:
    """Compute, write, and log the mean of each channel."""
    database = named_database(args)
    if args.target is not None:
        check_target(args.target)
    with counted("images") as progress:
        mean = compute_mean(database, progress)
    if args.target is not None:
        write_mean(mean, args.target)
    log.info("Number of channels: %d", len(mean))
    for channel, value in enumerate(mean.mean(axis=(1, 2)).tolist()):
        log.info("mean_value channel [%d]: %g", channel, value)
    return 0
