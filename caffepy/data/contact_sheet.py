"""A picture of many images of a database, small, side by side, with labels."""

import math
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from caffepy.data.datum import Planes, decode, parse_datum
from caffepy.data.folder import Record, check_target
from caffepy.errors import DataError

CELL = 144  # pixels a side of an image
GAP = 8
TEXT = 14
LINES = 2  # of text below an image
WHITE = (255, 255, 255)
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

BLACK = (0, 0, 0)
RED = (200, 0, 0)
GREY = (110, 110, 110)


def contact_sheet(records: list[Record]) -> Image.Image:
    """The images of records in rows, each with its label and its key below.

    Small ones are enlarged by a whole number, large ones reduced. Two channels are shown side by
    side in grey; numbers that are no bytes are spread from black, the smallest, to white. Where a
    record has no image that can be shown, its place says so.
    """
    columns = math.ceil(math.sqrt(len(records)))
    rows = math.ceil(len(records) / columns)
    wide, high = CELL + GAP, CELL + GAP + LINES * TEXT
    sheet = Image.new("RGB", (columns * wide + GAP, rows * high + GAP), WHITE)
    for place, record in enumerate(records):
        row, column = divmod(place, columns)
        paste(sheet, record, GAP + column * wide, GAP + row * high)
    return sheet


def paste(sheet: Image.Image, record: Record, left: int, top: int) -> None:
    """Put one record's image and words where its cell begins."""
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT - 3)
    words = [("no image", RED), (record.key.decode(errors="replace"), GREY)]
    try:
        datum = parse_datum(record.value, record)
        image = fitted(picture(decode(datum, None, record), record))
    except DataError:
        draw.rectangle((left, top, left + CELL - 1, top + CELL - 1), outline=RED)
    else:
        sheet.paste(image, (left + (CELL - image.width) // 2, top + (CELL - image.height) // 2))
        words[0] = str(datum.label) if datum.HasField("label") else "no label", BLACK
    for line, (text, colour) in enumerate(words):
        draw.text((left, top + CELL + 2 + line * TEXT), shortened(text, font), colour, font)


def shortened(text: str, font: Font) -> str:
    """As much of a text as a cell is wide: of a key the end tells images apart."""
    ends = [text, *(f"…{text[cut:]}" for cut in range(1, len(text) + 1))]
    return next(end for end in ends if font.getlength(end) <= CELL)


def picture(planes: Planes, where: object) -> Image.Image:
    """The picture of an image (C, H, W), blue first."""
    if len(planes) > 4:
        raise DataError(f"{where} has {len(planes)} channels; an image that is shown has 1 to 4")
    if planes.dtype != np.uint8:
        planes = stretched(planes)
    if len(planes) < 3:
        return Image.fromarray(np.concatenate(list(planes), axis=1))
    return Image.fromarray(np.ascontiguousarray(planes[2::-1].transpose(1, 2, 0)))


def stretched(planes: Planes) -> NDArray[np.uint8]:
    """Numbers spread over the bytes from 0, the smallest, to 255; what is not a number is 0."""
    numbers = planes.astype(np.float64)
    known = numbers[np.isfinite(numbers)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
    numbers = np.nan_to_num(numbers, nan=low, posinf=high, neginf=low) - low
    return (numbers * (255 / ((high - low) or 1))).astype(np.uint8)


def fitted(image: Image.Image) -> Image.Image:
    """The picture as large as fits into its cell."""
    longest = max(image.size)
    if longest > CELL:
        share = CELL / longest
        size = max(1, round(image.width * share)), max(1, round(image.height * share))
        return image.resize(size, Image.Resampling.LANCZOS)
    times = CELL // longest
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)


def check_sheet(path: str | PathLike[str]) -> None:
    """Raise DataError where no picture can get this name, before the work that goes into it."""
    check_target(path)
    Image.init()
    if Image.EXTENSION.get(Path(path).suffix.lower()) not in Image.SAVE:
        raise DataError(f"{path}: cannot be written: its name ends with no type of pictures")


def write_sheet(sheet: Image.Image, path: str | PathLike[str]) -> None:
    """Save the picture in the type that the name ends with; DataError where that cannot be.

    check_sheet says before whether it is a name for pictures.
    """
    try:
        sheet.save(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error
