"""Blobs and records as messages, and as numpy arrays."""

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from caffepy.data.datum import decode
from caffepy.errors import DataError, ParseError
from caffepy.proto import BlobProto, BlobProtoVector, Datum
from caffepy.proto.arrays import fill_blob, to_array

Array: TypeAlias = NDArray[np.generic]
Doubles: TypeAlias = NDArray[np.float64]


def blobproto_to_array(blob: BlobProto, return_diff: bool = False) -> Doubles:
    """The data of a blob, or its diff, in its shape.

    Raises:
        ValueError: it holds more or fewer numbers than its shape says.
    """
    if return_diff:
        gradient = BlobProto()
        gradient.CopyFrom(blob)
        del gradient.data[:]
        gradient.data.MergeFrom(blob.diff)
        blob = gradient
    try:
        return to_array(blob).astype(np.float64)
    except ParseError as error:
        raise ValueError(str(error)) from error


def array_to_blobproto(arr: Array, diff: Array | None = None) -> BlobProto:
    """A blob of an array's shape and numbers, and where given a diff of the same shape."""
    blob = BlobProto()
    fill_blob(blob, arr, diff)
    return blob


def arraylist_to_blobprotovector_str(arraylist: Iterable[Array]) -> bytes:
    """Arrays as the bytes of one BlobProtoVector."""
    return BlobProtoVector(blobs=map(array_to_blobproto, arraylist)).SerializeToString()


def blobprotovector_str_to_arraylist(str: bytes) -> list[Doubles]:
    """The arrays in the bytes of a BlobProtoVector."""
    return [blobproto_to_array(blob) for blob in BlobProtoVector.FromString(str).blobs]


def array_to_datum(arr: Array, label: int | None = None) -> Datum:
    """The record of an image (C, H, W): bytes of a uint8 array, else floats.

    Raises:
        ValueError: the array has not three axes.
    """
    if arr.ndim != 3:
        raise ValueError(f"Incorrect array shape: {arr.shape}; a record is (C, H, W)")
    datum = Datum(channels=arr.shape[0], height=arr.shape[1], width=arr.shape[2])
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(arr.astype(np.float64).ravel().tolist())
    if label is not None:
        datum.label = label
    return datum


def datum_to_array(datum: Datum) -> NDArray[np.uint8] | Doubles:
    """The image of a record, (C, H, W): uint8, or float64 of floats. Its label is `datum.label`.

    An encoded record is decoded, blue first.

    Raises:
        ValueError: the numbers do not fill the shape, or the image cannot be decoded.
    """
    try:
        image = decode(datum)
    except DataError as error:
        raise ValueError(str(error)) from error
    if datum.encoded or datum.data:
        return image.astype(np.uint8)
    return image.astype(np.float64)
