"""What a database holds: how many records, of which sizes, kinds and labels."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from caffepy.data.database import Database
from caffepy.data.datum import check_shape, parse_datum
from caffepy.data.folder import Record
from caffepy.data.images import file_shape
from caffepy.errors import DataError
from caffepy.proto import Datum

SHOWN = 20

Shape = tuple[int, int, int]


@dataclass
class Contents:
    """What was found in the records of a database.

    kinds: how many are "raw bytes", "float numbers", or files, such as "JPEG file".
    sizes: how many have each (channels, height, width). labels: how many have each label.
    unlabelled: how many have none. damaged: how many hold no image; reasons: of the first 20.
    first, last: keys. size: bytes of all values.
    """

    count: int = 0
    size: int = 0
    first: bytes = b""
    last: bytes = b""
    kinds: Counter[str] = field(default_factory=Counter)
    sizes: Counter[Shape] = field(default_factory=Counter)
    labels: Counter[int] = field(default_factory=Counter)
    unlabelled: int = 0
    damaged: int = 0
    reasons: list[str] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Take one more record in, the next one by key."""
        self.first = self.first if self.count else record.key
        self.last = record.key
        self.count += 1
        self.size += len(record.value)
        try:
            datum = parse_datum(record.value, record)
            kind, shape = describe(datum, record)
        except DataError as error:
            self.damaged += 1
            if self.damaged <= SHOWN:
                self.reasons.append(str(error))
            return
        self.kinds[kind] += 1
        self.sizes[shape] += 1
        if datum.HasField("label"):
            self.labels[datum.label] += 1
        else:
            self.unlabelled += 1


def inspect(
    database: Database,
    progress: Callable[[int, int], None],
    seen: Callable[[int, Record], None] = lambda _number, _record: None,
) -> Contents:
    """Go through a database once, a record in memory at a time; image files are not decoded.

    `progress` is told how many of how many records are done; `seen` gets each, and its number.
    """
    contents = Contents()
    count = len(database)
    for number, record in enumerate(islice(database.records(), count)):
        contents.add(record)
        seen(number, record)
        progress(number + 1, count)
    return contents


def spread(count: int, wanted: int) -> set[int]:
    """Up to `wanted` numbers of records, spread evenly over all `count` of them."""
    shown = min(wanted, count)
    return {place * count // shown for place in range(shown)}


def describe(datum: Datum, record: Record) -> tuple[str, Shape]:
    """The kind and the shape of a record's image; DataError where it holds none."""
    if datum.encoded:
        file_type, shape = file_shape(datum.data, record)
        return f"{file_type} file", shape
    count = len(datum.data) or len(datum.float_data)
    shape = datum.channels, datum.height, datum.width
    check_shape(count, shape, record)
    return "raw bytes" if datum.data else "float numbers", shape
