"""`caffepy convert_imageset`: a folder of images and a list of their labels become a database."""

import argparse
import sys

from caffepy.cli.flags import UsageError
from caffepy.cli.progress import counted
from caffepy.data.convert import Options, Summary, convert
from caffepy.data.database import BACKENDS
from caffepy.data.images import ENCODERS

EPILOG = """\
example:
  caffepy convert_imageset --resize_height=256 --resize_width=256 --shuffle \\
      images/ train.txt train_lmdb

LISTFILE has a line `name label` for each image. A name follows ROOTFOLDER as it is, so ROOTFOLDER
ends with a slash. Images that cannot be read are left out and named at the end.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of Caffe's tool, and --seed."""
    switch = argparse.BooleanOptionalAction
    parser.epilog = EPILOG
    parser.add_argument("root", metavar="ROOTFOLDER/", help="put before each name of the list")
    parser.add_argument("listing", metavar="LISTFILE", help="a line `name label` for each image")
    parser.add_argument("target", metavar="DB_NAME", help="the database's folder, a new one")
    parser.add_argument("--gray", action=switch, default=False, help="one channel instead of three")
    parser.add_argument("--shuffle", action=switch, default=False, help="store in a random order")
    parser.add_argument(
        "--seed", type=int, default=0, help="of --shuffle: the order is the same each time (0)"
    )
    parser.add_argument(
        "--backend", choices=BACKENDS, default="lmdb", help="kind of database (lmdb)"
    )
    parser.add_argument("--resize-width", type=int, default=0, help="width of all images (own)")
    parser.add_argument("--resize-height", type=int, default=0, help="height of all images (own)")
    parser.add_argument(
        "--check-size", action=switch, default=False, help="fail where two images differ in size"
    )
    parser.add_argument(
        "--encoded", action=switch, default=False, help="store image files instead of pixels"
    )
    parser.add_argument(
        "--encode-type",
        default="",
        help=f"store image files of this type: {', '.join(ENCODERS)} (each file's own)",
    )


def run(args: argparse.Namespace) -> int:
    """Convert, show how far it is on a terminal, and say which images were left out."""
    size = args.resize_height, args.resize_width
    if min(size) < 0 or (size[0] > 0) != (size[1] > 0):
        raise UsageError(
            f"--resize-height is {size[0]} and --resize-width {size[1]}; give both, or neither"
        )
    options = Options(
        gray=args.gray,
        seed=args.seed if args.shuffle else None,
        size=size if min(size) > 0 else None,
        check_size=args.check_size,
        backend=BACKENDS[args.backend],
        encode=args.encode_type if args.encoded or args.encode_type else None,
    )
    with counted("images") as progress:
        summary = convert(args.root, args.listing, args.target, options, progress)
    report(summary)
    return 0


def report(summary: Summary) -> None:
    """Name the images that were left out."""
    if not summary.skipped:
        return
    total = summary.stored + summary.skipped
    print(
        f"{summary.skipped} of {total} images could not be read and are left out:", file=sys.stderr
    )
    for reason in summary.reasons:
        print(f"  {reason}", file=sys.stderr)
    if summary.skipped > len(summary.reasons):
        print(f"  and {summary.skipped - len(summary.reasons)} more", file=sys.stderr)
