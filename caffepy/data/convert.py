"""Labelled image files, of a list or of class folders, become a database."""

import hashlib
import logging
import os
import random
from collections.abc import Callable, Collection, Generator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from caffepy.data.ahead import begin_ahead
from caffepy.data.database import Writer, create_database, open_database
from caffepy.data.datum import decode, parse_datum
from caffepy.data.image_list import Entry
from caffepy.data.image_record import Form, Made, check_form, make
from caffepy.data.unfinished import Facts, keys_in, unfinished
from caffepy.errors import DataError
from caffepy.proto import DataParameter

logger = logging.getLogger(__name__)

AHEAD = 4  # images in memory for each core
PROGRESS = 1000
SHOWN = 20
AS_IT_IS = Form()

Keyed = tuple[bytes, Entry]
First = tuple[str, tuple[int, ...]]  # an image's name and shape


@dataclass(frozen=True)
class Images:
    """Image files to store.

    source: the list or folder that they are from, for messages. root: put before each name as it
    is. listed: whether an entry's line is that of a file, and not just a number.
    """

    source: str
    root: str
    entries: list[Entry]
    listed: bool = True

    def place(self, entry: Entry) -> str:
        """Where an entry stands, for the beginning of a message."""
        return f"line {entry.line}: " if self.listed else ""


@dataclass(frozen=True)
class Options:
    """What a database is made like.

    seed: None keeps the order of the images; a number shuffles it, always in the same way.
    check_size: whether images that differ in size are an error.
    """

    form: Form = AS_IT_IS
    seed: int | None = None
    check_size: bool = False
    backend: DataParameter.DB = DataParameter.LMDB


@dataclass
class Summary:
    """What became of the images: how many were stored, and why others were not (the first 20).

    stored: those of an interrupted build included.
    """

    stored: int = 0
    skipped: int = 0
    reasons: list[str] = field(default_factory=list)
    first: First | None = None  # the first one stored

    def skip(self, reason: str) -> None:
        """Count one more that cannot be stored."""
        self.skipped += 1
        if self.skipped <= SHOWN:
            self.reasons.append(reason)


class Task(NamedTuple):
    """One image to store, from 1 on, and the record being made; place begins messages about it."""

    number: int
    key: bytes
    entry: Entry
    place: str
    made: Future[Made]


def silent(_done: int, _total: int) -> None:
    """Tells nobody how far the work is."""


def convert(
    images: Images,
    target: str | PathLike[str],
    options: Options,
    progress: Callable[[int, int], None] = silent,
    *,
    resume: bool = False,
) -> Summary:
    """Store images in a new database, in their order, decoding on all cores.

    Keys are `00000012_name`, the number being that of the line, from 0, or of the place after
    shuffling: images that cannot be read leave holes. `progress` is told how many of how many
    images are done. DataError, and no database, where the target is unusable, no image can be read,
    or `check_size` finds a second size.

    What was stored before an interruption or an error is kept, as `unfinished` has it. `resume`
    goes on with it: images whose keys are there are passed over, unreadable ones tried again.

    Source: caffe/tools/convert_imageset.cpp
    """
    check_form(options.form)
    keyed = keys(images.entries, options.seed)
    with unfinished(target, facts(images, keyed, options), resume=resume) as folder:
        there = keys_in(folder)
        summary = Summary(stored=len(there), first=first_stored(folder, there, options))
        with create_database(target, options.backend, folder) as writer:
            for key, _ in keyed:
                writer.check(key)
            logger.info("A total of %d images.", len(keyed))
            todo = [item for item in keyed if item[0] not in there]
            with closing(tasks(images, todo, options.form)) as begun:
                for task in begun:
                    store(task, writer, options, summary)
                    progress(len(there) + task.number, len(keyed))
            if not summary.stored:
                raise DataError(nothing_stored(images, summary))
    if summary.stored % PROGRESS:
        logger.info("Processed %d files.", summary.stored)
    return summary


def keys(entries: Sequence[Entry], seed: int | None) -> list[Keyed]:
    """The images in the order they are stored, with their keys; shuffled where a seed is given."""
    numbers: Sequence[int] = [entry.line - 1 for entry in entries]
    if seed is not None:
        logger.info("Shuffling data")
        entries = list(entries)
        random.Random(seed).shuffle(entries)
        numbers = range(len(entries))
    return [
        (os.fsencode(f"{number:08d}_{entry.name}"), entry)
        for number, entry in zip(numbers, entries, strict=True)
    ]


def facts(images: Images, keyed: Sequence[Keyed], options: Options) -> Facts:
    """What a database is made of, to know an unfinished one again: the list, and the options."""
    digest = hashlib.sha256()
    for key, entry in keyed:
        digest.update(b"%s %d\n" % (key, entry.label))
    parts = {**vars(options.form), **vars(options)}
    del parts["form"]
    stated = {name: str(value) for name, value in parts.items()}
    stated["backend"] = DataParameter.DB.Name(options.backend)
    return {"list": digest.hexdigest(), "root": images.root, **stated}


def first_stored(folder: Path, there: Collection[bytes], options: Options) -> First | None:
    """The first image that an unfinished database holds, where `check_size` asks for it."""
    if not there or not options.check_size:
        return None
    record = next(open_database(folder).records())
    planes = decode(parse_datum(record.value, record), not options.form.gray, record)
    channels, height, width = planes.shape
    return os.fsdecode(record.key).partition("_")[2], (height, width, channels)


def tasks(images: Images, todo: Sequence[Keyed], form: Form) -> Generator[Task, None, None]:
    """The images in order, with their records in the making."""

    def work(item: Keyed) -> Made:
        _, entry = item
        return make(images.root + entry.name, entry.label, form)

    with closing(begin_ahead(work, todo, AHEAD)) as begun:
        for number, ((key, entry), made) in enumerate(begun, 1):
            yield Task(number, key, entry, images.place(entry), made)


def store(task: Task, writer: Writer, options: Options, summary: Summary) -> None:
    """Put one record into the database, or into the summary why it could not be made."""
    name = task.entry.name
    try:
        made = task.made.result()
    except DataError as error:
        summary.skip(f"{task.place}{error}")
        return
    if summary.first is None:
        summary.first = name, made.shape
    first, shape = summary.first
    if options.check_size and made.shape != shape:
        raise DataError(
            f"check_size: {task.place}{name!r} is {sized(made.shape)}, "
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


def nothing_stored(images: Images, summary: Summary) -> str:
    """The message where no image could be read, with the first reasons."""
    root, reasons = images.root, "\n".join(summary.reasons)
    hint = "" if root.endswith("/") else f" ({root!r} is put before each name without a '/')"
    return f"{images.source}: none of its {summary.skipped} images can be read{hint}:\n{reasons}"
