"""Serialised messages taken apart, against those that protobuf writes."""

import pytest

from caffepy.errors import ParseError
from caffepy.proto import TEST, BlobProto, LayerParameter, SolverState
from caffepy.proto.wire import read_fields, varint


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(0, b"\x00", id="0"),
        pytest.param(127, b"\x7f", id="largest in one byte"),
        pytest.param(128, b"\x80\x01", id="smallest in two"),
        pytest.param(300, b"\xac\x02", id="300"),
        pytest.param(2**32, b"\x80\x80\x80\x80\x10", id="2^32"),
    ],
)
def test_varint(value: int, expected: bytes) -> None:
    assert varint(value) == expected


@pytest.mark.parametrize("value", [0, 1, 127, 128, 2**31 - 1, -1, -(2**31)])
def test_numbers_are_read_back(value: int) -> None:
    data = SolverState(iter=value).SerializeToString()

    assert read_fields(memoryview(data)).ints == {1: [value]}


def test_fields_are_read_by_number_in_order() -> None:
    layer = LayerParameter(name="a", top=["x", "y"], loss_weight=[0.5], phase=TEST)
    layer.pooling_param.stride = 2

    fields = read_fields(memoryview(layer.SerializeToString()))

    assert fields.text(1) == "a"
    assert fields.text(2) == ""
    assert [bytes(top) for top in fields.views[4]] == [b"x", b"y"]
    assert bytes(fields.views[5][0]) == b"\x00\x00\x00\x3f"
    assert fields.ints == {10: [1]}
    assert read_fields(fields.views[121][0]).ints == {3: [2]}


def test_of_a_string_given_twice_the_last_is_meant() -> None:
    twice = (
        LayerParameter(name="a").SerializeToString() + LayerParameter(name="b").SerializeToString()
    )

    assert read_fields(memoryview(twice)).text(1) == "b"


def test_a_string_in_another_encoding_can_be_shown() -> None:
    assert read_fields(memoryview(b"\x0a\x02\xbe\xed")).text(1) == r"\xbe\xed"


def test_numbers_in_pieces_are_joined() -> None:
    pieces = b"".join(BlobProto(data=part).SerializeToString() for part in ([1, 2], [3]))
    whole = BlobProto(data=[1, 2, 3]).SerializeToString()

    assert read_fields(memoryview(pieces)).joined(5) == read_fields(memoryview(whole)).joined(5)
    assert len(read_fields(memoryview(pieces)).joined(6)) == 0


def test_views_are_of_the_bytes_themselves() -> None:
    data = bytearray(BlobProto(data=[1]).SerializeToString())

    view = read_fields(memoryview(data)).views[5][0]
    data[-1] = 0

    assert view[-1] == 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"\x0a\x05ab", "cut short: a field of 5 bytes, and only 2 left", id="string"),
        pytest.param(b"\x0d\x00\x00", "cut short: a field of 4 bytes, and only 2 left", id="float"),
        pytest.param(b"\x08\x80", "cut short inside a number", id="number"),
        pytest.param(b"\x08" + b"\xff" * 11, "cut short inside a number", id="endless number"),
        pytest.param(
            b"\x0a" + b"\xff" * 9 + b"\x01", "cut short: a field of -1", id="negative size"
        ),
        pytest.param(b"\x08\x01\x0b", "byte 2 begins no field", id="a group"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ParseError, match=message):
        read_fields(memoryview(data))
