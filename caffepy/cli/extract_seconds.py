"""`caffepy extract_seconds`: when the iterations of a log were."""

import argparse
from pathlib import Path

from caffepy.cli.log_lines import read_lines, start
from caffepy.errors import DataError

EPILOG = """\
example:
  caffepy extract_seconds train.log seconds.txt

OUTPUT has a number for each line of LOG that names an iteration: seconds since the solver began.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files of Caffe's script."""
    parser.epilog = EPILOG
    parser.add_argument("log", metavar="LOG", type=Path, help="what a training logged")
    parser.add_argument("target", metavar="OUTPUT", type=Path, help="the file to write")


def run(args: argparse.Namespace) -> int:
    """Write the numbers."""
    lines = read_lines(args.log)
    begin = start(lines, args.log)
    times = [line.time for line in lines if "Iteration" in line.body]
    if not times:
        raise DataError(f"{args.log}: no log of a training: no line says `Iteration N`")
    text = "".join(f"{(time - begin).total_seconds():f}\n" for time in times)
    try:
        args.target.write_text(text)
    except OSError as error:
        raise DataError(f"{args.target}: cannot be written: {error.strerror}") from error
    return 0
