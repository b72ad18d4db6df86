"""A list of labelled image files becomes a database."""

import logging
import os
import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from os import PathLike
from pathlib import PurePath
from typing import NamedTuple

from caffepy.data.ahead import begin_ahead
from caffepy.data.database import Writer, create_database
from caffepy.data.datum import encoded_datum, to_datum
from caffepy.data.image_list import Entry, read_list
from caffepy.data.images import (
    ENCODERS,
    check_extension,
    decode_image,
    encode_image,
    read_file,
    resize,
)
from caffepy.errors import DataError
from caffepy.proto import DataParameter

logger = logging.getLogger(__name__)

AHEAD = 16  # images in memory for each core
PROGRESS = 1000
SHOWN = 20


@dataclass(frozen=True)
class Options:
    """How images are stored.

    size: (height, width) of all of them; None keeps each one's own.
    encode: None stores raw pixels; a type such as "png" stores image files of that type, "" of
        each file's own. Files of that type already are kept byte for byte, unless `size` is given.
    seed: None keeps the list's order; a number shuffles it, always in the same way.
    """

    gray: bool = False
    seed: int | None = None
    size: tuple[int, int] | None = None
    check_size: bool = False
    encode: str | None = None
    backend: DataParameter.DB = DataParameter.LMDB


@dataclass
class Summary:
    """What became of the images: how many were stored, and why others were not (the first 20)."""

    stored: int = 0
    skipped: int = 0
    reasons: list[str] = field(default_factory=list)
    first: tuple[str, tuple[int, ...]] | None = None  # the first one stored, and its shape

    def skip(self, reason: str) -> None:
        """Count one more that cannot be stored."""
        self.skipped += 1
        if self.skipped <= SHOWN:
            self.reasons.append(reason)


class Made(NamedTuple):
    """One image's record, and the shape (height, width, channels) it decodes to."""

    value: bytes
    shape: tuple[int, ...]


class Task(NamedTuple):
    """One image to store: its key, its entry in the list, and the record being made."""

    key: bytes
    entry: Entry
    made: Future[Made]


def silent(_done: int, _total: int) -> None:
    """Tells nobody how far the work is."""


def convert(
    root: str,
    listing: str | PathLike[str],
    target: str | PathLike[str],
    options: Options,
    progress: Callable[[int, int], None] = silent,
) -> Summary:
    """Store the images of a list in a new database, in the list's order, decoding on all cores.

    `root` is put before each name as it is. Keys are `00000012_name`, the number being that of the
    line, from 0, or of the place after shuffling: images that cannot be read leave holes.
    `progress` is told how many of how many images are done. DataError, and no database, where the
    list or the target is unusable, no image can be read, or `check_size` finds a second size.

    Source: caffe/tools/convert_imageset.cpp
    """
    check_options(options)
    keyed = keys(read_list(listing), options.seed)
    database = create_database(target, options.backend)
    for key, _ in keyed:
        database.check(key)
    summary = Summary()

    def work(item: tuple[bytes, Entry]) -> Made:
        _, entry = item
        return make(root + entry.name, entry.label, options)

    with database as writer, closing(begin_ahead(work, keyed, AHEAD)) as begun:
        logger.info("A total of %d images.", len(keyed))
        for done, ((key, entry), made) in enumerate(begun, 1):
            store(Task(key, entry, made), writer, options, summary)
            progress(done, len(keyed))
        if not summary.stored:
            raise DataError(nothing_stored(root, listing, summary))
    if summary.stored % PROGRESS:
        logger.info("Processed %d files.", summary.stored)
    return summary


def check_options(options: Options) -> None:
    """Raise DataError for a type that is not written; warn of colour that --gray leaves."""
    if options.encode:
        check_extension(options.encode.lower())
    if options.gray and options.encode is not None and options.size is None:
        logger.warning(
            "image files kept as they are stay in colour; "
            "transform_param { force_gray: true } reads them as grey"
        )


def keys(entries: list[Entry], seed: int | None) -> list[tuple[bytes, Entry]]:
    """The images in the order they are stored, with their keys; shuffled where a seed is given."""
    numbers: Sequence[int] = [entry.line - 1 for entry in entries]
    if seed is not None:
        logger.info("Shuffling data")
        random.Random(seed).shuffle(entries)
        numbers = range(len(entries))
    return [
        (os.fsencode(f"{number:08d}_{entry.name}"), entry)
        for number, entry in zip(numbers, entries, strict=True)
    ]


def store(task: Task, writer: Writer, options: Options, summary: Summary) -> None:
    """Put one record into the database, or into the summary why it could not be made."""
    name = task.entry.name
    try:
        made = task.made.result()
    except DataError as error:
        summary.skip(f"line {task.entry.line}: {error}")
        return
    if summary.first is None:
        summary.first = name, made.shape
    first, shape = summary.first
    if options.check_size and made.shape != shape:
        raise DataError(
            f"check_size: line {task.entry.line}: {name!r} is {sized(made.shape)}, "
            f"but the first image, {first!r}, is {sized(shape)}"
        )
    writer.put(task.key, made.value)
    summary.stored += 1
    if summary.stored % PROGRESS == 0:
        logger.info("Processed %d files.", summary.stored)


def sized(shape: tuple[int, ...]) -> str:
    """A shape in words."""
    height, width, channels = shape
    return f"{height} rows x {width} columns x {channels} channels"


def nothing_stored(root: str, listing: str | PathLike[str], summary: Summary) -> str:
    """The message where no image could be read, with the first reasons."""
    hint = "" if root.endswith("/") else f" ({root!r} is put before each name without a '/')"
    reasons = "\n".join(summary.reasons)
    return f"{listing}: none of its {summary.skipped} images can be read{hint}:\n{reasons}"


def make(path: str, label: int, options: Options) -> Made:
    """One image's record; DataError where the file cannot be read."""
    data = read_file(path)
    pixels = decode_image(data, not options.gray, repr(path))
    if options.size is not None:
        pixels = resize(pixels, *options.size)
    own_type = PurePath(path).suffix.removeprefix(".").lower()
    wanted = own_type if not options.encode else options.encode.lower()
    if options.encode is None:
        datum = to_datum(pixels, label)
    elif options.size is None and same_type(wanted, own_type):
        datum = encoded_datum(data, label)
    else:
        datum = encoded_datum(encode_image(pixels, wanted, repr(path)), label)
    return Made(datum.SerializeToString(), pixels.shape)


def same_type(one: str, other: str) -> bool:
    """Whether two extensions mean one type of file, as jpg and jpeg do."""
    return one == other or (one in ENCODERS and ENCODERS[one] == ENCODERS.get(other))
