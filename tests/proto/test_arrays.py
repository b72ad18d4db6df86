"""Blobs and arrays, one into the other, whichever way a file holds the numbers."""

import numpy as np
import pytest
from numpy.typing import NDArray

from caffepy.errors import ParseError
from caffepy.proto import BlobProto, BlobShape
from caffepy.proto.arrays import blob_shape, fill_blob, read_blob, to_array, to_blob
from caffepy.proto.weights_pb2 import Blob

NUMBERS = np.linspace(-1, 1, 24, dtype=np.float32)


@pytest.mark.parametrize("shape", [(2, 3, 4), (24,), (1, 24), (2, 1, 3, 4, 1)])
def test_an_array_goes_in_and_comes_out(shape: tuple[int, ...]) -> None:
    array = NUMBERS.reshape(shape)

    blob = to_blob(array)

    assert list(blob.data) == NUMBERS.tolist()
    assert list(blob.shape.dim) == list(shape)
    np.testing.assert_array_equal(to_array(blob), array)
    assert to_array(blob).flags.writeable


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        pytest.param(np.float32(3.5), (), id="one number"),
        pytest.param(np.zeros((2, 0, 3), np.float32), (2, 0, 3), id="no numbers"),
        pytest.param(np.arange(6).reshape(2, 3), (2, 3), id="whole numbers"),
        pytest.param(NUMBERS.reshape(4, 6)[::2, ::3].T, (2, 2), id="not contiguous"),
    ],
)
def test_any_array_can_go_in(array: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    found = to_array(to_blob(array))

    assert found.dtype == np.float32
    assert found.shape == shape
    np.testing.assert_array_equal(found, array)


def test_diffs_go_beside_the_data() -> None:
    blob = BlobProto()

    fill_blob(blob, NUMBERS.reshape(4, 6), 2 * NUMBERS.reshape(4, 6))

    expected = BlobProto(
        shape=BlobShape(dim=[4, 6]), data=NUMBERS.tolist(), diff=(2 * NUMBERS).tolist()
    )
    assert blob == expected


@pytest.mark.parametrize(
    ("blob", "shape"),
    [
        pytest.param(BlobProto(shape=BlobShape(dim=[2, 3])), (2, 3), id="shape"),
        pytest.param(BlobProto(num=2, channels=3, height=4, width=5), (2, 3, 4, 5), id="legacy"),
        pytest.param(
            BlobProto(num=1, channels=1, height=1, width=7, shape=BlobShape(dim=[7])),
            (1, 1, 1, 7),
            id="legacy before shape",
        ),
        pytest.param(BlobProto(width=7), (0, 0, 0, 7), id="one legacy field means all four"),
        pytest.param(BlobProto(), (), id="nothing"),
    ],
)
def test_blob_shape(blob: BlobProto, shape: tuple[int, ...]) -> None:
    assert blob_shape(blob) == shape


SHAPE = BlobShape(dim=[4, 6])
HALF = NUMBERS.astype(np.float16)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(
            BlobProto(shape=SHAPE, data=NUMBERS).SerializeToString(), NUMBERS, id="floats"
        ),
        pytest.param(
            BlobProto(shape=SHAPE, double_data=NUMBERS.astype(float)).SerializeToString(),
            NUMBERS,
            id="doubles",
        ),
        pytest.param(
            BlobProto(shape=SHAPE, data=NUMBERS, double_data=2 * NUMBERS).SerializeToString(),
            2 * NUMBERS,
            id="doubles before floats",
        ),
        pytest.param(
            BlobProto(shape=SHAPE, data=NUMBERS, diff=2 * NUMBERS).SerializeToString(),
            NUMBERS,
            id="with diff",
        ),
        pytest.param(
            BlobProto(shape=SHAPE, data=NUMBERS[:5]).SerializeToString()
            + BlobProto(data=NUMBERS[5:]).SerializeToString(),
            NUMBERS,
            id="in two pieces",
        ),
        pytest.param(
            BlobProto(shape=SHAPE).SerializeToString()
            + b"".join(b"\x2d" + number.tobytes() for number in NUMBERS),
            NUMBERS,
            id="not packed",
        ),
        pytest.param(
            BlobProto(shape=SHAPE).SerializeToString()
            + Blob(raw_data_type=Blob.FLOAT, raw_data=NUMBERS.tobytes()).SerializeToString(),
            NUMBERS,
            id="raw floats",
        ),
        pytest.param(
            BlobProto(shape=SHAPE).SerializeToString()
            + Blob(raw_data_type=Blob.FLOAT16, raw_data=HALF.tobytes()).SerializeToString(),
            HALF.astype(np.float32),
            id="raw halves",
        ),
    ],
)
def test_numbers_are_found_however_they_are_written(
    data: bytes, expected: NDArray[np.float32]
) -> None:
    array = read_blob(memoryview(data))

    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, expected.reshape(4, 6))


def test_floats_are_not_copied() -> None:
    data = np.frombuffer(BlobProto(data=[1]).SerializeToString(), np.uint8).copy()

    array = read_blob(data.data)
    data[-4:] = 0

    assert array == 0


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        pytest.param(
            BlobProto(shape=SHAPE, data=[1, 2, 3]),
            "the shape 4 6 means 24 numbers, but there are 3",
            id="too few",
        ),
        pytest.param(
            BlobProto(num=1, channels=2, height=1, width=1, data=[1, 2, 3]),
            "the shape 1 2 1 1 means 2 numbers, but there are 3",
            id="too many",
        ),
        pytest.param(
            BlobProto(shape=BlobShape(dim=[-1, -2]), data=[1, 2]),
            "the shape -1 -2 means 2 numbers, but there are 2",
            id="negative",
        ),
    ],
)
def test_another_count_than_the_shape_says_is_refused(blob: BlobProto, message: str) -> None:
    with pytest.raises(ParseError, match=f"^{message}$"):
        to_array(blob)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x3a\x02\x0a\x05", id="shape cut short"),
        pytest.param(b"\x08\xff\xff\xff\xff\xff\x01", id="axis too large"),
    ],
)
def test_a_damaged_shape_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError, match=r"^a shape that cannot be read: "):
        read_blob(memoryview(data))


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        pytest.param(
            Blob(raw_data_type=Blob.INT, raw_data=b"abcd"), "raw_data_type is 3", id="raw integers"
        ),
        pytest.param(
            Blob(raw_data_type=Blob.FLOAT, raw_data=b"abcde"),
            "5 bytes are no whole",
            id="raw bytes",
        ),
        pytest.param(Blob(data=b"abcdef"), "6 bytes are no whole count of 4-byte", id="floats"),
    ],
)
def test_what_is_no_numbers_is_refused(blob: Blob, message: str) -> None:
    with pytest.raises(ParseError, match=message):
        read_blob(memoryview(blob.SerializeToString()))
