"""Caffe's lists of labelled images: a line `name label` each."""

import codecs
import os
import re
from os import PathLike
from typing import NamedTuple

from caffepy.data.images import read_file
from caffepy.errors import DataError

LABEL = re.compile(rb"[+-]?[0-9]+")
LARGEST = 2**31 - 1  # a Datum's label has 32 bits


class Entry(NamedTuple):
    """One image of a list; line counts from 1."""

    name: str
    label: int
    line: int


def read_list(path: str | PathLike[str]) -> list[Entry]:
    """The images of a list file, in its order.

    The last space of a line parts name and label, so that names may have spaces; blank lines are
    passed over, and the mark by which Windows knows UTF-8. DataError with file:line for a line
    without a label, or with one that is no whole number (Caffe silently reads it as 0), and for an
    empty or missing file.
    """
    lines = read_file(path).removeprefix(codecs.BOM_UTF8).split(b"\n")
    entries = [
        _entry(line.rstrip(), f"{path}:{number}", number)
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    if not entries:
        raise DataError(f"{path}: no images in this list; a line is `name label`")
    return entries


def _entry(line: bytes, where: str, number: int) -> Entry:
    name, space, label = line.rpartition(b" ")
    if not space or not name:
        raise DataError(
            f"{where}: no label in {_shown(line)}; a line is `name label`, with a space between"
        )
    if not LABEL.fullmatch(label):
        raise DataError(f"{where}: label {_shown(label)} is not a whole number")
    if not -LARGEST - 1 <= (value := int(label)) <= LARGEST:
        raise DataError(f"{where}: label {value} does not fit into 32 bits")
    return Entry(os.fsdecode(name), value, number)


def _shown(text: bytes) -> str:
    return repr(text.decode(errors="backslashreplace"))
