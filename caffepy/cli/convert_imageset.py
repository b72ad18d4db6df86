"""`caffepy convert_imageset`: image files and their labels become a database."""

import argparse
import sys
from pathlib import Path

from caffepy.cli.flags import UsageError
from caffepy.cli.progress import counted
from caffepy.data.class_folders import class_names, follow, list_images, write_labels
from caffepy.data.convert import Images, Options, Summary, convert
from caffepy.data.database import BACKENDS
from caffepy.data.folder import check_target
from caffepy.data.image_list import read_list
from caffepy.data.image_record import Form
from caffepy.data.images import ENCODERS

EPILOG = """\
example:
  caffepy convert_imageset --resize_height=256 --resize_width=256 --shuffle \\
      images/ train.txt train_lmdb
  caffepy convert_imageset --class-folders --resize-short 256 --center-crop 256 --shuffle \\
      train/ train_lmdb
  caffepy convert_imageset --class-folders --labels-file train_lmdb.labels.txt \\
      --resize-short 256 --center-crop 256 val/ val_lmdb

LISTFILE has a line `name label` for each image. A name follows ROOTFOLDER as it is, so ROOTFOLDER
ends with a slash. Images that cannot be read are left out and named at the end.

With --class-folders there is no LISTFILE: each folder in ROOTFOLDER is a class, the images in it
and in folders within belong to it, and labels count from 0 in the order of the folders' names.

What stops before the end, by Ctrl-C or for want of space on the disk, leaves DB_NAME.unfinished and
no DB_NAME. The same command with --resume goes on after the last image stored.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of Caffe's tool, and ours."""
    switch = argparse.BooleanOptionalAction
    parser.epilog = EPILOG
    parser.add_argument("root", metavar="ROOTFOLDER/", help="put before each name of the list")
    parser.add_argument(
        "listing", metavar="LISTFILE", nargs="?", help="a line `name label` for each image"
    )
    parser.add_argument("target", metavar="DB_NAME", help="the database's folder, a new one")
    parser.add_argument("--gray", action=switch, default=False, help="one channel instead of three")
    parser.add_argument("--shuffle", action=switch, default=False, help="store in a random order")
    parser.add_argument(
        "--seed", type=int, default=0, help="of --shuffle: the order is the same each time (0)"
    )
    parser.add_argument(
        "--backend", choices=BACKENDS, default="lmdb", help="kind of database (lmdb)"
    )
    parser.add_argument(
        "--check-size", action=switch, default=False, help="fail where two images differ in size"
    )
    add_sizes(parser)
    parser.add_argument(
        "--encoded", action=switch, default=False, help="store image files instead of pixels"
    )
    parser.add_argument(
        "--encode-type",
        default="",
        help=f"store image files of this type: {', '.join(ENCODERS)} (each file's own)",
    )
    parser.add_argument(
        "--class-folders", action="store_true", help="take classes from folders, without LISTFILE"
    )
    parser.add_argument(
        "--labels-file",
        metavar="FILE",
        help="of --class-folders: the class of each label, a line each; followed where it is there, "
        "written where it is not (DB_NAME.labels.txt, written anew)",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with a database that was not finished"
    )


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that give images a size."""
    parser.add_argument("--resize-width", type=int, default=0, help="width of all images (own)")
    parser.add_argument("--resize-height", type=int, default=0, help="height of all images (own)")
    parser.add_argument(
        "--resize-short",
        type=int,
        default=0,
        metavar="N",
        help="length of the shorter side of all images, in proportion (own)",
    )
    parser.add_argument(
        "--center-crop",
        type=int,
        default=0,
        metavar="N",
        help="after resizing, cut N x N pixels out of the middle (all)",
    )


def run(args: argparse.Namespace) -> int:
    """Convert, show how far it is on a terminal, and say which images were left out."""
    options = Options(
        form=form_of(args),
        seed=args.seed if args.shuffle else None,
        check_size=args.check_size,
        backend=BACKENDS[args.backend],
    )
    images, names = of_folders(args) if args.class_folders else (of_list(args), None)
    labels = None if names is None or followed(args) else labels_file(args)
    if labels is not None:
        check_target(labels)
    with counted("images") as progress:
        summary = convert(images, args.target, options, progress, resume=args.resume)
    if labels is not None and names is not None:
        write_labels(labels, names)
    report(summary)
    return 0


def form_of(args: argparse.Namespace) -> Form:
    """How the images are to be stored; UsageError for sizes that contradict each other."""
    height, width, short, crop = (
        args.resize_height,
        args.resize_width,
        args.resize_short,
        args.center_crop,
    )
    if min(height, width) < 0 or (height > 0) != (width > 0):
        raise UsageError(
            f"--resize-height is {height} and --resize-width {width}; give both, or neither"
        )
    for flag, value in (("--resize-short", short), ("--center-crop", crop)):
        if value < 0:
            raise UsageError(f"{flag} is {value}, and must be at least 1")
    if short and height:
        raise UsageError("--resize-short and --resize-height exclude each other")
    smallest = short or min(height, width)
    if smallest and crop > smallest:
        raise UsageError(f"--center-crop is {crop}, and images have only {smallest} on a side")
    return Form(
        gray=args.gray,
        size=(height, width) if height else None,
        short=short or None,
        crop=crop or None,
        encode=args.encode_type if args.encoded or args.encode_type else None,
    )


def of_list(args: argparse.Namespace) -> Images:
    """The images that LISTFILE names."""
    if args.listing is None:
        raise UsageError("LISTFILE is missing; --class-folders takes labels from folders instead")
    if args.labels_file is not None:
        raise UsageError("--labels-file belongs to --class-folders")
    return Images(args.listing, args.root, read_list(args.listing))


def of_folders(args: argparse.Namespace) -> tuple[Images, list[str]]:
    """The images in the folders of ROOTFOLDER, and the names of their classes by label."""
    if args.listing is not None:
        raise UsageError(f"--class-folders takes no LISTFILE; there is {args.listing!r}")
    names = class_names(args.root)
    if followed(args):
        names = follow(args.labels_file, names)
    root = str(Path(args.root)) + "/"
    return Images(args.root, root, list_images(args.root, names), listed=False), names


def followed(args: argparse.Namespace) -> bool:
    """Whether --labels-file says which classes there are; such a file is left as it is."""
    return args.labels_file is not None and Path(args.labels_file).exists()


def labels_file(args: argparse.Namespace) -> str:
    """Where the names of the classes are written."""
    return args.labels_file or f"{Path(args.target)}.labels.txt"


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
