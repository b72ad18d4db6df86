"""A database as a collection of labelled images."""

from collections.abc import Iterator, Sequence
from functools import cached_property

from caffepy.data.batches import Block, Sample
from caffepy.data.database import Database
from caffepy.data.datum import decode, parse_datum, raw_images, split_datum
from caffepy.data.folder import LARGE, Record
from caffepy.data.order import Order

LIGHT = 1 << 20  # bytes of a batch


class Records:
    """The images of a database's records.

    color: `decode_image`'s, for encoded records. seed: of the order of each epoch, which is drawn
    from (seed, epoch) alone; None keeps to the order of the keys.
    """

    def __init__(self, database: Database, color: bool | None, seed: int | None = None) -> None:
        self.database = database
        self.color = color
        self.seed = seed

    def __len__(self) -> int:
        return len(self.database)

    def epoch(self, number: int) -> int:
        """In which epoch the record of a number is; the first is 0."""
        if self.seed is None:
            return self.database.epoch(number)
        return number // len(self._keys)

    def items(self, start: int, step: int) -> Iterator[Record]:
        """Every `step`th record from number `start` on, beginning again at the end; endless."""
        if self.seed is None:
            return self.database.records(start, step)
        return self._shuffled(start, step)

    def _shuffled(self, start: int, step: int) -> Iterator[Record]:
        for place in Order(len(self._keys), self.seed).places(start, step):
            key = self._keys[place]
            yield Record(self.database.path, key, self.database.get(key))

    @cached_property
    def _keys(self) -> list[bytes]:
        return list(self.database.keys())

    def name(self, record: Record) -> str:
        """Its database and key."""
        return str(record)

    def light(self, count: int) -> bool:
        """Whether `count` records are read sooner than a thread is woken to read them.

        They are few bytes, of which none are to be decoded.
        """
        record = next(self.database.records())
        encoded = parse_datum(record.value, record).encoded
        return not encoded and count * len(record.value) <= LIGHT

    def load(self, records: Sequence[Record]) -> list[Sample] | Block:
        """The images and labels of records."""
        if len(records[0].value) < LARGE:
            alike = raw_images([bytes(record.value) for record in records])
            if alike is not None:
                return Block(*alike, records[0])
        return [self._sample(record) for record in records]

    def _sample(self, record: Record) -> Sample:
        datum, data = split_datum(record.value, record)
        return Sample(decode(datum, self.color, record, data), datum.label, record)
