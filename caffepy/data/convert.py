"""Labelled image files, of a list or of class folders, become a database."""

import hashlib
import logging
import os
import random
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path
from threading import Lock

from caffepy.data.ahead import WORKERS, begin_ahead
from caffepy.data.database import Writer, create_database, open_database
from caffepy.data.datum import decode, parse_datum
from caffepy.data.image_list import Entry
from caffepy.data.image_record import Form, Made, check_form, make
from caffepy.data.images import file_size
from caffepy.data.unfinished import Facts, keys_in, unfinished
from caffepy.errors import DataError
from caffepy.proto import DataParameter

logger = logging.getLogger(__name__)

AHEAD = 2  # packs in memory for each core
PACK = 64  # images that a thread is handed at once where they keep their pixels,
RESIZED_PACK = 8  # and otherwise,
PACK_BYTES = 1 << 18  # or fewer, as soon as their files have as many bytes
PROGRESS = 1000
SHOWN = 20
AS_IT_IS = Form()
STATED = {  # what people call an option, where it has another name
    "size": "resize-height and -width",
    "short": "resize-short",
    "crop": "center-crop",
    "encode": "encode-type",
    "check_size": "check-size",
}

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
    with ExitStack() as stack:
        keyed = keys(images.entries, options.seed)
        begun = unfinished(target, facts(images, keyed, options), resume=resume)
        folder = stack.enter_context(begun)
        there = keys_in(folder)
        summary = Summary(stored=len(there), first=first_stored(folder, there, options))
        writer = stack.enter_context(create_database(target, options.backend, folder))
        for key, _ in keyed:
            writer.check(key)
        logger.info("A total of %d images.", len(keyed))
        todo = [item for item in keyed if item[0] not in there]
        made = stack.enter_context(closing(records(images, todo, options.form)))
        for done, (key, entry, record) in enumerate(made, len(there) + 1):
            if isinstance(record, str):
                summary.skip(f"{images.place(entry)}{record}")
            else:
                check_sizes(entry, record, images, options, summary)
                store(key, record, writer, summary)
            progress(done, len(keyed))
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
    """What a database is made of, to know an unfinished one again: its images, and the options."""
    digest = hashlib.sha256()
    for key, entry in keyed:
        digest.update(b"%s %d\n" % (key, entry.label))
    parts = {**vars(options.form), **vars(options)}
    del parts["form"]
    stated = {STATED.get(name, name): str(value) for name, value in parts.items()}
    stated["backend"] = DataParameter.DB.Name(options.backend)
    listed = f"of {len(keyed)} images (sum of names, labels, order: {digest.hexdigest()[:16]})"
    return {"list": listed, "root": images.root, **stated}


def first_stored(folder: Path, there: Collection[bytes], options: Options) -> First | None:
    """The first image that an unfinished database holds, where `check_size` asks for it."""
    if not there or not options.check_size:
        return None
    record = next(open_database(folder).records())
    planes = decode(parse_datum(record.value, record), not options.form.gray, record)
    channels, height, width = planes.shape
    return os.fsdecode(record.key).partition("_")[2], (height, width, channels)


def records(
    images: Images, todo: Sequence[Keyed], form: Form
) -> Generator[tuple[bytes, Entry, Made | str], None, None]:
    """The images in order, with their keys and records, or why there is none; made ahead."""
    work = partial(make_pack, root=images.root, form=form, alone=Lock())
    taken = packs(images.root, todo, PACK if form.own_pixels else RESIZED_PACK)
    with (
        ThreadPoolExecutor(WORKERS, "ahead") as pool,
        closing(begin_ahead(pool, work, taken, AHEAD)) as begun,
    ):
        for pack, made in begun:
            for (key, entry), record in zip(pack, made.result(), strict=True):
                yield key, entry, record


def packs(root: str, todo: Sequence[Keyed], count: int) -> Iterator[list[Keyed]]:
    """The images in order, those of small files up to `count` at a time."""
    pack: list[Keyed] = []
    size = 0
    for key, entry in todo:
        pack.append((key, entry))
        size += file_size(root + entry.name)
        if len(pack) == count or size >= PACK_BYTES:
            yield pack
            pack, size = [], 0
    if pack:
        yield pack


def make_pack(pack: Sequence[Keyed], root: str, form: Form, alone: Lock) -> list[Made | str]:
    """The records of some images; of those that cannot be read, why.

    Files so small that so many make a pack are for one thread at a time, which has `alone`: two
    would mostly hand Python's lock to and fro, and take twice as long.
    """
    with alone if len(pack) == PACK else nullcontext():
        return [made_or_why(root + entry.name, entry.label, form) for _, entry in pack]


def made_or_why(path: str, label: int, form: Form) -> Made | str:
    """An image's record, or why there is none."""
    try:
        return make(path, label, form)
    except DataError as error:
        return str(error)


def check_sizes(
    entry: Entry, made: Made, images: Images, options: Options, summary: Summary
) -> None:
    """Note the first image's shape; raise DataError for another one, where that is asked for."""
    if summary.first is None:
        summary.first = entry.name, made.shape
    first, shape = summary.first
    if options.check_size and made.shape != shape:
        raise DataError(
            f"check_size: {images.place(entry)}{entry.name!r} is {sized(made.shape)}, "
            f"but the first image, {first!r}, is {sized(shape)}"
        )


def store(key: bytes, made: Made, writer: Writer, summary: Summary) -> None:
    """Put one record into the database."""
    writer.put(key, made.value)
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
