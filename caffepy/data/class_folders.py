"""A folder of class folders: the images of each, and the label that its name gives."""

import logging
import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from caffepy.data.image_list import Entry
from caffepy.data.images import read_file
from caffepy.errors import DataError, near
from caffepy.proto.files import write_plain

logger = logging.getLogger(__name__)

NAMED = 3  # examples in a message


def class_names(root: str | PathLike[str]) -> list[str]:
    """The names of the folders in a folder, sorted: the classes, whose labels count from 0.

    Those that begin with a dot are none, and files beside the folders belong to none: both are left
    out with a warning. DataError where there is no class.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise DataError(f"{root}: {'not a' if folder.exists() else 'no such'} folder")
    found = sorted(folder.iterdir(), key=lambda path: os.fsencode(path.name))
    names = [path.name for path in found if path.is_dir() and not path.name.startswith(".")]
    left_out = [path.name for path in found if path.name not in set(names)]
    if left_out:
        logger.warning("%s: not folders of classes, left out: %s", root, examples(left_out))
    if not names:
        raise DataError(f"{root}: there are no folders in it; a folder of images is a class")
    return names


def follow(labels: str | PathLike[str], names: Sequence[str]) -> list[str]:
    """The classes of a file of labels, a name a line, in place of those that were found.

    DataError where a folder that was found is not among them, or a name is there twice.
    """
    lines = os.fsdecode(read_file(labels)).splitlines()
    known = [line.strip() for line in lines if line.strip()]
    if len(set(known)) < len(known):
        twice = next(name for name in known if known.count(name) > 1)
        raise DataError(f"{labels}: class {twice!r} is there twice")
    strange = [name for name in names if name not in set(known)]
    if strange:
        raise DataError(
            f"{labels}: has no class {strange[0]!r}, which is a folder{near(strange[0], known)}"
        )
    if missing := [name for name in known if name not in set(names)]:
        logger.warning("%s: classes without a folder: %s", labels, examples(missing))
    return known


def write_labels(labels: str | PathLike[str], names: Sequence[str]) -> None:
    """Write a file of labels: the name of label 0, of label 1, …, a line each."""
    write_plain(str(labels), "".join(f"{name}\n" for name in names))


def list_images(root: str | PathLike[str], names: Sequence[str]) -> list[Entry]:
    """The files of each class, also in folders within, sorted: class by class, then by path.

    Files and folders that begin with a dot are left out. DataError where there is no file.
    """
    entries: list[Entry] = []
    for label, name in enumerate(names):
        for path in sorted(files_in(Path(root), name), key=os.fsencode):
            entries.append(Entry(path, label, len(entries) + 1))
        if not entries or entries[-1].label != label:
            logger.warning("%s: class %r has no files", root, name)
    if not entries:
        raise DataError(f"{root}: its folders hold no files")
    return entries


def files_in(root: Path, name: str) -> list[str]:
    """The paths, from `root` on, of the files in one of its folders and those within."""
    found: list[str] = []
    for folder, inner, files in os.walk(root / name):
        inner[:] = [each for each in inner if not each.startswith(".")]
        here = Path(folder).relative_to(root)
        found += [(here / file).as_posix() for file in files if not file.startswith(".")]
    return found


def examples(names: Sequence[str]) -> str:
    """The first few names, and how many there are more."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(repr, names[:NAMED])) + more
