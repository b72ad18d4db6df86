"""`caffepy inspect_db`: what a database holds."""

import argparse
import json
from collections.abc import Iterator

from caffepy.cli.database import add_database, named_database
from caffepy.cli.flags import UsageError
from caffepy.cli.progress import counted
from caffepy.data.contact_sheet import check_sheet, contact_sheet, write_sheet
from caffepy.data.database import Database
from caffepy.data.folder import Record, find_backend
from caffepy.data.inspect import Contents, inspect, spread
from caffepy.proto import DataParameter

LISTED = 20  # lines of a histogram

EPILOG = """\
example:
  caffepy inspect_db train_lmdb --contact-sheet train.png --count 100

Records are read one after the other, so that databases of any size can be inspected. --json prints
the same, with the whole histograms.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the database and the flags."""
    parser.epilog = EPILOG
    add_database(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument(
        "--contact-sheet",
        metavar="FILE",
        help="also write a picture of images spread evenly over the database, with their labels",
    )
    parser.add_argument(
        "--count", type=int, default=64, metavar="N", help="how many images it shows (64)"
    )


def run(args: argparse.Namespace) -> int:
    """Go through the database, print what is in it, draw the sheet."""
    if args.count < 1:
        raise UsageError(f"--count is {args.count}, and must be at least 1")
    database = named_database(args)
    if args.contact_sheet:
        check_sheet(args.contact_sheet)
    contents, records = look(database, args.count if args.contact_sheet else 0)
    backend = find_backend(args.database)
    facts = as_json(args.database, DataParameter.DB.Name(backend), contents)
    print(json.dumps(facts, indent=1) if args.json else "\n".join(lines(facts, contents)))
    if args.contact_sheet:
        write_sheet(contact_sheet(records), args.contact_sheet)
    return 0


def look(database: Database, shown: int) -> tuple[Contents, list[Record]]:
    """What the database holds, and `shown` of its records."""
    chosen = spread(len(database), shown)
    records: list[Record] = []

    def keep(number: int, record: Record) -> None:
        if number in chosen:
            records.append(record)

    with counted("records") as progress:
        return inspect(database, progress, keep), records


def as_json(path: str, backend: str, contents: Contents) -> dict[str, object]:
    """Everything that was found, for programs."""
    return {
        "database": path,
        "backend": backend,
        "count": contents.count,
        "bytes": contents.size,
        "mean_bytes": contents.size / contents.count,
        "first_key": shown_key(contents.first),
        "last_key": shown_key(contents.last),
        "kinds": dict(contents.kinds.most_common()),
        "sizes": [
            {"channels": shape[0], "height": shape[1], "width": shape[2], "count": count}
            for shape, count in contents.sizes.most_common()
        ],
        "labels": {str(label): contents.labels[label] for label in sorted(contents.labels)},
        "unlabelled": contents.unlabelled,
        "damaged": contents.damaged,
        "reasons": contents.reasons,
    }


def lines(facts: dict[str, object], contents: Contents) -> Iterator[str]:
    """The same for people, with the first lines of long histograms."""
    yield f"{facts['database']}: {facts['backend']}, {contents.count} records"
    yield f"keys: {facts['first_key']} to {facts['last_key']}"
    yield f"values: {contents.size} bytes, {facts['mean_bytes']:.6g} on average"
    for kind, count in contents.kinds.most_common():
        yield f"{count} of {contents.count}: {kind}"
    if contents.damaged:
        yield f"{contents.damaged} of {contents.count}: damaged"
        yield from (f"  {reason}" for reason in contents.reasons)
    yield "sizes (channels x height x width):"
    sizes = [("x".join(map(str, shape)), n) for shape, n in contents.sizes.most_common()]
    yield from histogram(sizes)
    yield f"labels: {label_range(contents)}"
    yield from histogram([(str(label), n) for label, n in sorted(contents.labels.items())])


def label_range(contents: Contents) -> str:
    """How many labels there are, and from where to where."""
    labels = contents.labels
    words = [f"{len(labels)}, from {min(labels)} to {max(labels)}"] if labels else []
    if contents.unlabelled:
        words.append(f"{contents.unlabelled} records have none")
    return "; ".join(words) or "none"


def histogram(counts: list[tuple[str, int]]) -> Iterator[str]:
    """A line for each name and its count, up to LISTED of them."""
    for name, count in counts[:LISTED]:
        yield f"{count:9} {name}"
    if len(counts) > LISTED:
        rest = sum(count for _, count in counts[LISTED:])
        yield f"{rest:9} in {len(counts) - LISTED} more; --json lists them"


def shown_key(key: bytes) -> str:
    """A key as text; escaped where it is none."""
    return key.decode(errors="backslashreplace")
