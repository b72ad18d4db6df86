"""`--data-workers`, which verbs that read data have in common."""

import argparse

from caffepy.data.ahead import WORKERS

MOST = 1024


def add_data_workers(parser: argparse.ArgumentParser) -> None:
    """Declare --data-workers."""
    parser.add_argument(
        "--data-workers",
        type=count,
        default=WORKERS,
        metavar="N",
        help="threads that make the batches of each data layer, which are the same for any N "
        "(default: one a core, up to 16)",
    )


def count(text: str) -> int:
    """The number of the flag."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of threads, 1 to {MOST}")
    return int(text)
