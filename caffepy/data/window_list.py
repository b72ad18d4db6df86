"""Caffe's window files: images, and the boxes in each that a detector learns from."""

import os
from os import PathLike
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from caffepy.data.images import read_file
from caffepy.errors import DataError

FIELDS = ("class", "overlap", "x1", "y1", "x2", "y2")
OVERLAP = FIELDS.index("overlap")
LARGEST = 2**31 - 1

Boxes = NDArray[np.int32]  # (windows, 6): image, class, x1, y1, x2, y2; corners belong to the box


class WindowImage(NamedTuple):
    """One image of a window file; where: file and line, for messages."""

    path: str
    where: str


class WindowList(NamedTuple):
    """The images of a window file, and its windows: objects, and background, whose class is 0."""

    images: list[WindowImage]
    foreground: Boxes
    background: Boxes


def read_windows(
    source: str | PathLike[str], folder: str, fg_threshold: float, bg_threshold: float
) -> WindowList:
    """The images and windows of a file, in its order; `folder` is put before each path as it is.

    For each image the file has `# number`, counting from 0, path, channels, height, width, how many
    windows, and then `class overlap x1 y1 x2 y2` of each; any white space parts them. A window is
    of an object from fg_threshold on, of the background below bg_threshold, and else left out.
    Caffe reads neither the channels nor the sizes, nor are they read here.

    DataError with file:line for what is not as it must be.
    """
    words = Words(source)
    images: list[WindowImage] = []
    foreground, background = [], []
    while words.more():
        image, count = _header(words, folder, len(images))
        windows, places = _windows(words, count)
        objects, rest = _sort(windows, fg_threshold, bg_threshold)
        for index in np.flatnonzero(objects & (windows[:, 0] < 1)):
            raise DataError(
                f"{source}:{places[index]}: class {windows[index, 0]:.0f} of an object; classes of "
                f"windows whose overlap is {fg_threshold:g} (fg_threshold) or more count from 1"
            )
        boxes = np.insert(np.delete(windows, OVERLAP, axis=1), 0, len(images), axis=1)
        boxes[rest, 1] = 0
        foreground.append(boxes[objects].astype(np.int32))
        background.append(boxes[rest].astype(np.int32))
        images.append(image)
    if not images:
        raise DataError(f"{source}: no images in this window file")
    return WindowList(images, np.concatenate(foreground), np.concatenate(background))


class Words:
    """The words of a file one after the other, and the line each stands in."""

    def __init__(self, source: str | PathLike[str]) -> None:
        self.source = source
        self._lines = enumerate(read_file(source).split(b"\n"), 1)
        self._words: list[bytes] = []
        self._places: list[int] = []
        self._line = 0

    def more(self) -> bool:
        """Whether there is another word."""
        return self._fill(1)

    def take(self, count: int, what: str) -> tuple[list[bytes], list[int]]:
        """The next words and their lines; `what` they are is for the error where they are missing."""
        if not self._fill(count):
            raise DataError(f"{self.source}:{self._line}: the file ends, where {what} must follow")
        words, self._words = self._words[:count], self._words[count:]
        places, self._places = self._places[:count], self._places[count:]
        return words, places

    def whole(self, what: str, least: int) -> int:
        """The next word, which must be a whole number from `least` on."""
        (word,), (place,) = self.take(1, what)
        if not word.isdigit() or not least <= int(word) <= LARGEST:
            raise DataError(
                f"{self.source}:{place}: {what} is {shown(word)}; a whole number from {least} on "
                "is allowed"
            )
        return int(word)

    def _fill(self, count: int) -> bool:
        while len(self._words) < count:
            if (numbered := next(self._lines, None)) is None:
                return False
            number, line = numbered
            words = line.split()
            self._words += words
            self._places += [number] * len(words)
            self._line = number if words else self._line
        return True


def _header(words: Words, folder: str, number: int) -> tuple[WindowImage, int]:
    """What stands before the windows of an image, and how many they are."""
    (mark,), (place,) = words.take(1, "# and the number of an image")
    if mark != b"#":
        raise DataError(
            f"{words.source}:{place}: {shown(mark)}, where # must begin the next image; "
            "is the number of windows above right?"
        )
    given = words.whole("the number of an image", 0)
    if given != number:
        raise DataError(
            f"{words.source}:{place}: image number {given}, but it is number {number} in this "
            "file; they count from 0"
        )
    (path,), (place,) = words.take(1, "the path of an image")
    for what in ("channels", "height", "width"):
        words.whole(what, 0)
    image = WindowImage(folder + os.fsdecode(path), f"{words.source}:{place}")
    return image, words.whole("the number of windows", 0)


def _windows(words: Words, count: int) -> tuple[NDArray[np.float64], list[int]]:
    """The next windows (count, 6), as they are written, and the line in which each begins."""
    given, places = words.take(count * len(FIELDS), f"{count} windows of {' '.join(FIELDS)}")
    numbers = np.array([_number(word) for word in given]).reshape(count, len(FIELDS))
    wrong = ~(np.abs(numbers) <= LARGEST)
    wrong |= (numbers != np.trunc(numbers)) & (np.arange(len(FIELDS)) != OVERLAP)
    for index in np.flatnonzero(wrong):
        field = int(index) % len(FIELDS)
        kind = "number" if field == OVERLAP else "whole number"
        raise DataError(
            f"{words.source}:{places[index]}: {FIELDS[field]} is {shown(given[index])}; a {kind} "
            f"is allowed, of a window `{' '.join(FIELDS)}`"
        )
    return numbers, places[:: len(FIELDS)]


def _number(word: bytes) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")


def _sort(
    windows: NDArray[np.float64], fg_threshold: float, bg_threshold: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which windows are objects, which are background; compared as Caffe does, in float32."""
    overlaps = windows[:, OVERLAP].astype(np.float32)
    objects = overlaps >= np.float32(fg_threshold)
    return objects, ~objects & (overlaps < np.float32(bg_threshold))


def shown(word: bytes) -> str:
    """A word of a file, for a message."""
    return repr(word.decode(errors="backslashreplace"))
