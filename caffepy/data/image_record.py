"""One image file becomes one record of a database."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from caffepy.data.datum import encoded_datum, to_datum
from caffepy.data.images import (
    ENCODERS,
    Pixels,
    check_extension,
    decodable_shape,
    decode_image,
    decode_resized,
    encode_image,
    read_file,
)
from caffepy.errors import DataError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Form:
    """How images are stored.

    size: (height, width) of all of them; None keeps each one's own.
    short: in place of `size`, the length of the shorter side; the other keeps the proportion,
        rounded down.
    crop: the height and width of the centre that is cut out, after resizing; None keeps all.
    encode: None stores raw pixels; a type such as "png" stores image files of that type, "" of
        each file's own. Files of that type already are kept byte for byte where their pixels are
        to stay as they are.
    """

    gray: bool = False
    size: tuple[int, int] | None = None
    short: int | None = None
    crop: int | None = None
    encode: str | None = None

    @property
    def own_pixels(self) -> bool:
        """Whether images stay as large as they are."""
        return self.size is None and self.short is None and self.crop is None

    @property
    def new_size(self) -> Callable[[int, int], tuple[int, int]] | None:
        """From an image's rows and columns to those it is resized to; None leaves them."""
        if self.short is not None:
            return partial(by_short_side, short=self.short)
        size = self.size
        return None if size is None else lambda *_: size


class Made(NamedTuple):
    """One image's record, and the shape (height, width, channels) it decodes to."""

    value: bytes
    shape: tuple[int, ...]


def check_form(form: Form) -> None:
    """Raise DataError for a type that is not written; warn of colour that --gray leaves."""
    if form.encode:
        check_extension(form.encode.lower())
    if form.gray and form.encode is not None and form.own_pixels:
        logger.warning(
            "image files kept as they are stay in colour; "
            "transform_param { force_gray: true } reads them as grey"
        )


def make(path: str, label: int, form: Form) -> Made:
    """One image's record; DataError where the file cannot be read, or is smaller than the crop.

    Source: ReadImageToDatum in caffe/src/caffe/util/io.cpp
    """
    data, where = read_file(path), repr(path)
    own_type = os.path.splitext(path)[1].removeprefix(".").lower()  # noqa: PTH122 - tenfold the speed
    wanted = own_type if not form.encode else form.encode.lower()
    if form.encode is not None and form.own_pixels and same_type(wanted, own_type):
        shape = decodable_shape(data, not form.gray, where)
        return Made(encoded_datum(data, label).SerializeToString(), shape)
    pixels = shaped(data, form, path)
    if form.encode is None:
        datum = to_datum(pixels, label)
    else:
        datum = encoded_datum(encode_image(pixels, wanted, where), label)
    return Made(datum.SerializeToString(), pixels.shape)


def shaped(data: bytes, form: Form, path: str) -> Pixels:
    """The image of a file in the size that is asked for."""
    color, where, size = not form.gray, repr(path), form.new_size
    if size is None:
        pixels = decode_image(data, color, where)
    else:
        pixels = decode_resized(data, size, color, where)
    return pixels if form.crop is None else centre(pixels, form.crop, path)


def by_short_side(height: int, width: int, short: int) -> tuple[int, int]:
    """The height and width in the same proportion whose smaller one is `short`.

    Source: caffe/tools/extra/resize_and_crop_images.py, which rounds the other one down.
    """
    smaller = min(height, width)
    return short * height // smaller, short * width // smaller


def centre(pixels: Pixels, crop: int, path: str) -> Pixels:
    """The middle of an image, `crop` rows and columns; where there is none, above and left of it."""
    height, width = pixels.shape[:2]
    if min(height, width) < crop:
        raise DataError(
            f"{path!r}: {height} rows x {width} columns cannot be cropped to {crop} x {crop}"
        )
    top, left = (height - crop) // 2, (width - crop) // 2
    return pixels[top : top + crop, left : left + crop]


def same_type(one: str, other: str) -> bool:
    """Whether two extensions mean one type of file, as jpg and jpeg do."""
    return one == other or (one in ENCODERS and ENCODERS[one] == ENCODERS.get(other))
