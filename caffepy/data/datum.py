"""Datum, the record of Caffe's databases: a labelled image, raw or as the bytes of a file."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, cast

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from caffepy.data.images import Pixels, decode_planes
from caffepy.errors import DataError, ParseError
from caffepy.proto import Datum
from caffepy.proto.wire import BYTES, VARINT, read_varint

DATA = Datum.DATA_FIELD_NUMBER << 3 | BYTES  # how the field begins

Planes = NDArray[np.uint8] | NDArray[np.float32]  # (channels, height, width)

LABELS = 1 << 11  # ends of messages that are remembered, of which there is one a label

FIXED32 = 5  # protobuf's wire type of floats
FLOAT_FIELD = np.dtype([("tag", "u1"), ("value", "<f4")])


def to_datum(pixels: Pixels, label: int) -> Datum:
    """The raw record of an image (H, W, C): its bytes channel by channel."""
    height, width, channels = pixels.shape
    return Datum(
        channels=channels,
        height=height,
        width=width,
        data=pixels.transpose(2, 0, 1).tobytes(),
        label=label,
        encoded=False,
    )


def encoded_datum(file: bytes, label: int) -> Datum:
    """The record that keeps an image file's bytes; its size is in the file only."""
    return Datum(data=file, label=label, encoded=True)


def float_record(numbers: NDArray[np.float32]) -> bytes:
    """The value, in a database, of numbers (C, H, W) that are no bytes; it has no label.

    As protobuf writes the message, but without a Python loop over the numbers.
    """
    channels, height, width = numbers.shape
    fields = np.empty(numbers.size, FLOAT_FIELD)
    fields["tag"] = Datum.FLOAT_DATA_FIELD_NUMBER << 3 | FIXED32
    fields["value"] = numbers.reshape(-1)
    shape = Datum(channels=channels, height=height, width=width)
    return shape.SerializeToString() + fields.tobytes()


def parse_datum(value: bytes | memoryview, where: object = "record") -> Datum:
    """The message in a database's value; DataError, naming `where`, for other bytes."""
    return _parsed(bytes(value), len(value), where)


def _parsed(message: bytes, size: int, where: object) -> Datum:
    """A message, or what is left without its `data` of one of `size` bytes."""
    try:
        return Datum.FromString(message)
    except DecodeError as error:
        raise DataError(f"{where}: not a Datum message: {size} bytes do not parse") from error


def split_datum(value: bytes | memoryview, where: object = "record") -> tuple[Datum, memoryview]:
    """The message in a database's value, without its `data`, and a view of that in its place.

    DataError, naming `where`, for other bytes. Where `data` is not the first of its fields that is
    no whole number, as writers of Caffe's records have it, it is taken from the message as usual.
    """
    whole = memoryview(value)
    try:
        place = _place_of_data(whole)
    except ParseError as error:
        raise DataError(f"{where}: not a Datum message: {error}") from error
    if place is None:
        datum = parse_datum(value, where)
        return datum, memoryview(datum.data)
    rest = bytes(whole[: place.tag]) + bytes(whole[place.end :])
    return _parsed(rest, len(whole), where), whole[place.begin : place.end]


class _Place(NamedTuple):
    """Where a message has its `data`: the field's tag, and the bytes."""

    tag: int
    begin: int
    end: int


def _place_of_data(whole: memoryview) -> _Place | None:
    """None where other fields than whole numbers come before it; ParseError for no message."""
    at = 0
    while at < len(whole) and whole[at] & 7 == VARINT:
        _, at = read_varint(whole, at + 1)
    if at < len(whole) and whole[at] == DATA:
        size, begin = read_varint(whole, at + 1)
        if 0 <= size <= len(whole) - begin:
            return _Place(at, begin, begin + size)
    return None


def raw_images(values: Sequence[bytes]) -> tuple[NDArray[np.uint8], list[int]] | None:
    """The images of raw records of one size, (N, C, H, W), and their labels, all at once.

    Of messages that begin alike up to the image's bytes, one beginning is parsed, and of the ends
    those that differ. None where there are other records, damaged ones included.
    """
    try:
        place = _place_of_data(memoryview(values[0]))
    except ParseError:
        return None
    if place is None:
        return None
    head, shape = values[0][: place.begin], _shape_alone(values[0][: place.tag])
    data = [value[place.begin : place.end] for value in values if value.startswith(head)]
    labels = [_label_alone(value[place.end :]) for value in values]
    size = place.end - place.begin
    whole = len(data) == len(values) and min(map(len, data)) == size
    if shape is None or not whole or None in labels or size != math.prod(shape):
        return None
    images = np.frombuffer(bytearray().join(data), np.uint8).reshape(len(data), *shape)
    return images, cast("list[int]", labels)


@lru_cache
def _shape_alone(message: bytes) -> tuple[int, int, int] | None:
    """The shape of a raw image in a message that holds nothing else; None for another."""
    datum = _fields_of(message, "channels", "height", "width")
    if datum is None or min(datum.channels, datum.height, datum.width) < 1:
        return None
    return datum.channels, datum.height, datum.width


@lru_cache(LABELS)
def _label_alone(message: bytes) -> int | None:
    """The label in a message that holds nothing else, but may say that it is raw; None for another."""
    datum = _fields_of(message, "label", "encoded")
    return None if datum is None or datum.encoded else datum.label


def _fields_of(message: bytes, *names: str) -> Datum | None:
    """A message of no other fields than these; None for another."""
    try:
        datum = Datum.FromString(message)
    except DecodeError:
        return None
    return datum if {field.name for field, _ in datum.ListFields()} <= set(names) else None


def decode(
    datum: Datum,
    color: bool | None = None,
    where: object = "record",
    data: bytes | memoryview | None = None,
) -> Planes:
    """The image of a record: (C, H, W), blue first; uint8, or float32 of `float_data`; a view.

    color is decode_planes's, for encoded records; raw ones are as they are. data takes the place of
    the message's. DataError, naming `where`, for a damaged file or numbers that do not fill the
    shape.
    """
    data = datum.data if data is None else data
    if datum.encoded:
        return decode_planes(bytes(data), color, where)
    channels, height, width = datum.channels, datum.height, datum.width
    planes: Planes = (
        np.frombuffer(data, np.uint8) if data else np.array(datum.float_data, np.float32)
    )
    check_shape(planes.size, (channels, height, width), where)
    return planes.reshape(channels, height, width)


def check_shape(count: int, shape: tuple[int, int, int], where: object) -> None:
    """Raise DataError, naming `where`, where so many numbers do not fill a shape (C, H, W)."""
    channels, height, width = shape
    if count != channels * height * width or min(shape) < 1:
        raise DataError(
            f"{where}: {count} numbers for an image of "
            f"{channels} channels, {height} rows and {width} columns"
        )
