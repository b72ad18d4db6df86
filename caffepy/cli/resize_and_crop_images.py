"""`caffepy resize_and_crop_images`: image files cut to squares of one size, on all cores."""

import argparse
import os
import sys
from pathlib import Path

from caffepy.cli.flags import UsageError
from caffepy.cli.progress import counted
from caffepy.data.squares import LIBRARIES, Task, cut_squares
from caffepy.errors import DataError

SHOWN = 20
EPILOG = """\
example:
  caffepy resize_and_crop_images --input_folder imagenet/ --output_folder squares/ \\
    --output_side_length 256

Each image is resized until its shorter side has the length, and the middle is kept. Files keep
their names and folders. --input names a list, an image a line (what follows the name is not read),
from the input folder on; without it all files in the folder are taken. Images that cannot be read
are left out and named at the end.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of Caffe's script."""
    parser.epilog = EPILOG
    parser.add_argument("--input-folder", metavar="FOLDER", help="where the images are")
    parser.add_argument("--output-folder", metavar="FOLDER", help="where the squares go")
    parser.add_argument("--input", metavar="FILE", help="a list of the images (all in the folder)")
    parser.add_argument(
        "--output-side-length", type=int, default=256, metavar="N", help="in pixels (default: 256)"
    )
    parser.add_argument(
        "--image-lib",
        type=str.lower,
        choices=tuple(LIBRARIES),
        default="opencv",
        help="opencv: bilinear, files of their own type (default); pil: antialiased JPEGs",
    )
    parser.add_argument(
        "--num-clients",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="how many processes work at once (as many as there are cores)",
    )


def run(args: argparse.Namespace) -> int:
    """Cut all images, and say which were left out."""
    if not args.input_folder or not args.output_folder:
        raise UsageError("give --input_folder and --output_folder")
    if min(args.output_side_length, args.num_clients) < 1:
        raise UsageError("--output-side-length and --num-clients must be at least 1")
    source, target = Path(args.input_folder), Path(args.output_folder)
    names = listed(args.input, source) if args.input else found(source)
    if not names:
        raise DataError(f"{args.input or source}: there are no images")
    tasks = [Task(source / name, target / name) for name in names]
    with counted("images") as progress:
        failures = cut_squares(
            tasks, args.output_side_length, args.image_lib, args.num_clients, progress
        )
    report(failures, len(tasks))
    return 0


def found(folder: Path) -> list[str]:
    """All files in a folder and its folders, by their names in it; DataError where it is none."""
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder")
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def listed(path: str, folder: Path) -> list[str]:
    """The names in a list, the first word of each line; DataError where it cannot be read.

    Names that begin with the folder's go on from there.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot read the list: {error}") from error
    names = [line.split()[0] for line in lines if line.strip()]
    return [name.removeprefix(f"{folder}/").lstrip("/") for name in names]


def report(failures: list[str], total: int) -> None:
    """Name what was left out; DataError where that is all."""
    shown = "\n".join(failures[:SHOWN])
    if len(failures) == total:
        raise DataError(f"none of the {total} images could be cut:\n{shown}")
    if failures:
        print(f"{len(failures)} of {total} images are left out:\n{shown}", file=sys.stderr)
    if len(failures) > SHOWN:
        print(f"and {len(failures) - SHOWN} more", file=sys.stderr)
