"""`caffepy detect`: the scores of windows of images, as Caffe's python/detect.py."""

import argparse
import csv
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from caffepy.cli.flags import UsageError
from caffepy.cli.image_net import add_image_net, image_net_settings
from caffepy.cli.log import only_warnings
from caffepy.errors import DataError

if TYPE_CHECKING:
    from caffepy.pycaffe.detector import Detection

Windows: TypeAlias = dict[str, list[list[int]]]

WHOLE = re.compile(r"\s*-?\d+(\.0*)?\s*")
CORNERS = ("ymin", "xmin", "ymax", "xmax")
EPILOG = """\
example:
  caffepy detect windows.csv scores.csv --crop_mode list --model_def deploy.prototxt \\
    --pretrained_model net.caffemodel --mean_file mean.npy

The flags are those of Caffe's python/detect.py. With `--crop_mode list`, INPUT is a .csv whose
header has filename, ymin, xmin, ymax, xmax in any order; with selective_search a .txt with an image
file a line, whose windows MATLAB proposes. OUTPUT is a .csv with a row a window and a column a
class, class0, class1, …; or an .h5 with the datasets filename, window (ymin, xmin, ymax, xmax) and
prediction. Of a mean of pixels, that of each channel is taken.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files, and the flags of Caffe's script."""
    parser.epilog = EPILOG
    parser.add_argument("source", metavar="INPUT", help="a .csv of windows, or a .txt of images")
    parser.add_argument("target", metavar="OUTPUT", help="the .csv or .h5 to write")
    add_image_net(parser)
    parser.add_argument(
        "--crop-mode",
        choices=("selective_search", "list"),
        default="selective_search",
        help="where the windows come from (default: selective_search)",
    )
    parser.add_argument(
        "--context-pad",
        type=int,
        default=16,
        metavar="N",
        help="pixels of the net's input, at each side, that show what lies around (default: 16)",
    )


def run(args: argparse.Namespace) -> int:
    """Score the windows, and write what was found."""
    wanted = ".csv" if args.crop_mode == "list" else ".txt"
    if Path(args.source).suffix.lower() != wanted:
        raise UsageError(f"with --crop_mode {args.crop_mode}, INPUT is a {wanted}: {args.source}")
    if args.context_pad < 0:
        raise UsageError(f"--context-pad is {args.context_pad}, and must be at least 0")
    only_warnings()
    settings = image_net_settings(args)
    if settings["mean"] is not None and settings["mean"].ndim == 3:
        settings["mean"] = settings["mean"].mean(axis=(1, 2))

    from caffepy.data.folder import check_target
    from caffepy.pycaffe import Detector

    check_target(args.target)
    detector = Detector(
        args.model_def, args.pretrained_model, **settings, context_pad=args.context_pad
    )
    print("Loading input...")
    start = time.perf_counter()
    if args.crop_mode == "list":
        found = detector.detect_windows(read_windows(args.source).items())
    else:
        found = detector.detect_selective_search(read_names(args.source))
    print(f"Processed {len(found)} windows in {time.perf_counter() - start:.3f} s.")
    write = write_csv if Path(args.target).suffix.lower() == ".csv" else write_hdf5
    start = time.perf_counter()
    write(args.target, found)
    print(f"Saved to {args.target} in {time.perf_counter() - start:.3f} s.")
    return 0


def read_windows(path: str) -> Windows:
    """The windows of each image of a .csv, by file name, in the order of the first of each.

    Raises:
        DataError: the file cannot be read, lacks a column, or has a corner that is no whole number.
    """
    windows: Windows = {}
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            header = [name.strip() for name in reader.fieldnames or ()]
            missing = {"filename", *CORNERS} - set(header)
            if missing:
                raise DataError(f"{path}: no column {', '.join(sorted(missing))}; has {header}")
            reader.fieldnames = header
            for row in reader:
                corners = [_whole(row[name], f"{path}:{reader.line_num}") for name in CORNERS]
                windows.setdefault(row["filename"], []).append(corners)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot read the windows: {error}") from error
    return windows


def read_names(path: str) -> list[str]:
    """The image files of a list, one a line."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot read the list: {error}") from error
    return [line.strip() for line in lines if line.strip()]


def write_csv(path: str, found: Iterable["Detection"]) -> None:
    """A row a window: its file, its corners, its score for each class."""
    rows = [
        [each["filename"], *map(int, each["window"]), *each["prediction"].ravel().astype(str)]
        for each in found
    ]
    classes = [f"class{index}" for index in range(len(rows[0]) - 5)]
    try:
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["filename", *CORNERS, *classes], *rows])
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from error


def write_hdf5(path: str, found: Iterable["Detection"]) -> None:
    """The datasets filename, window and prediction, a row a window."""
    import numpy as np

    from caffepy.data.hdf5 import open_hdf5

    found = list(found)
    with open_hdf5(path, mode="w") as file:
        file["filename"] = [each["filename"] for each in found]
        file["window"] = np.array([[int(edge) for edge in each["window"]] for each in found])
        file["prediction"] = np.stack([each["prediction"] for each in found])


def _whole(text: str | None, where: str) -> int:
    if WHOLE.fullmatch(text or "") is None:
        raise DataError(f"{where}: a corner is {text!r}, and must be a whole number of pixels")
    return int(float(text or ""))
