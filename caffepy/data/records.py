"""A database as a collection of labelled images."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from itertools import repeat

from caffepy.data.batches import Block, Sample
from caffepy.data.database import Database
from caffepy.data.datum import decode, parse_datum, raw_images
from caffepy.data.folder import Record

LIGHT = 1 << 20  # bytes of a batch


class Records:
    """The images of a database's records, in the order of their keys.

    color: `decode_image`'s, for encoded records.
    """

    def __init__(self, database: Database, color: bool | None) -> None:
        self.database = database
        self.color = color

    def __len__(self) -> int:
        return len(self.database)

    def epoch(self, number: int) -> int:
        """In which epoch the record of a number is; the first is 0."""
        return self.database.epoch(number)

    def items(self, start: int, step: int) -> Iterator[Record]:
        """Every `step`th record from number `start` on, beginning again at the end; endless."""
        return self.database.records(start, step)

    def name(self, record: Record) -> str:
        """Its database and key."""
        return str(record)

    def light(self, count: int) -> bool:
        """Whether `count` records are read sooner than a thread is woken to read them.

        They are few bytes, of which none are to be decoded.
        """
        record = next(self.items(0, 1))
        encoded = parse_datum(record.value, record).encoded
        return not encoded and count * len(record.value) <= LIGHT

    def load(self, records: Sequence[Record], pool: Executor) -> list[Sample] | Block:
        """The images and labels of records; the pool decodes those that are image files."""
        datums = [parse_datum(record.value, record) for record in records]
        images = raw_images(datums)
        if images is not None:
            return Block(images, [datum.label for datum in datums], records[0])
        spread = pool.map if datums[0].encoded else map
        decoded = spread(decode, datums, repeat(self.color), records)
        return [
            Sample(image, datum.label, record)
            for image, datum, record in zip(decoded, datums, records, strict=True)
        ]
