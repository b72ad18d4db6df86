"""`caffepy parse_log`: the log of a training becomes two CSV files."""

import argparse
import csv
import io
from pathlib import Path

from caffepy.cli.training_log import Table, TrainingLog, read_training_log
from caffepy.errors import DataError
from caffepy.proto.files import write_plain

EPILOG = """\
example:
  caffepy train -solver solver.prototxt 2>&1 | tee train.log
  caffepy parse_log train.log .

OUTPUT_DIR/train.log.train and OUTPUT_DIR/train.log.test have a row for each display and each test:
NumIters, Seconds since the solver began, LearningRate, and a column for each output of the net. A
file that would have no rows is not written. Logs of Caffe and of caffepy are read, also while they
grow, and several runs in one file.
"""


def delimiter(text: str) -> str:
    """One character that can stand between the cells of a row."""
    if len(text) != 1 or text in '\r\n"':
        raise argparse.ArgumentTypeError(f"{text!r} is not one character, such as ',' or ';'")
    return text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files and flags of Caffe's script."""
    parser.epilog = EPILOG
    parser.add_argument("log", metavar="LOG", type=Path, help="what a training logged")
    parser.add_argument("folder", metavar="OUTPUT_DIR", type=Path, help="where the files go")
    parser.add_argument("--verbose", action="store_true", help="say what was written")
    parser.add_argument(
        "--delimiter", type=delimiter, default=",", metavar="C", help="between cells (,)"
    )


def run(args: argparse.Namespace) -> int:
    """Write both files."""
    log = read_training_log(args.log)
    if not log.train.rows and not log.test.rows:
        raise DataError(
            f"{args.log}: no line says `Train net output #0: …` or `Test net output #0: …`"
        )
    for suffix, table in (("train", log.train), ("test", log.test)):
        target = args.folder / f"{args.log.name}.{suffix}"
        if table.rows:
            write(target, log, table, args.delimiter)
        if args.verbose:
            print(f"Wrote {target}" if table.rows else f"Not writing {target}; no lines to write")
    return 0


def write(target: Path, log: TrainingLog, table: Table, delimiter: str) -> None:
    """Write the rows of a phase, all or none; SnapshotError where that cannot be."""
    columns = table.columns()
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["NumIters", "Seconds", "LearningRate", *columns.values()])
    for row in table.rows:
        cells = [row.values.get(output) for output in columns]
        writer.writerow([float(row.iteration), log.seconds(row.time), row.rate, *cells])
    write_plain(target, text.getvalue())
