import numpy as np
import pytest

from caffepy.data.datum import (
    decode,
    encoded_datum,
    float_record,
    parse_datum,
    raw_images,
    split_datum,
    to_datum,
)
from caffepy.data.images import encode_image
from caffepy.errors import DataError
from caffepy.proto import Datum
from tests.data.databases import ramp


def test_raw_record_holds_channel_after_channel() -> None:
    datum = to_datum(ramp(2, 3, 3), 7)

    assert (datum.channels, datum.height, datum.width, datum.label) == (3, 2, 3, 7)
    assert list(datum.data) == [0, 3, 6, 9, 12, 15, 1, 4, 7, 10, 13, 16, 2, 5, 8, 11, 14, 17]
    assert [field.name for field, _ in datum.ListFields()] == [
        "channels", "height", "width", "data", "label", "encoded",
    ]  # fmt: skip


def test_raw_record_decodes_to_the_image() -> None:
    image = ramp(4, 5, 2)

    np.testing.assert_array_equal(decode(to_datum(image, 0)), image.transpose(2, 0, 1))


def test_encoded_record_keeps_the_bytes_and_decodes_them() -> None:
    file = encode_image(ramp(4, 5), "png")
    datum = encoded_datum(file, -1)

    assert (datum.data, datum.label, datum.encoded) == (file, -1, True)
    assert not datum.HasField("channels")
    np.testing.assert_array_equal(decode(datum), ramp(4, 5).transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("stored", "color", "channels"), [(1, None, 1), (3, None, 3), (1, True, 3), (3, False, 1)]
)
def test_encoded_record_has_its_own_channels_unless_forced(
    stored: int, color: bool | None, channels: int
) -> None:
    datum = encoded_datum(encode_image(ramp(4, 5, stored), "png"), 0)

    assert decode(datum, color).shape == (channels, 4, 5)


def test_float_data() -> None:
    numbers = decode(Datum(channels=2, height=1, width=3, float_data=[0, 0.5, 1, -1, 300, 1e9]))

    assert numbers.dtype == np.float32
    np.testing.assert_array_equal(numbers, np.array([[[0, 0.5, 1]], [[-1, 300, 1e9]]], np.float32))


@pytest.mark.parametrize(
    ("datum", "text"),
    [
        pytest.param(
            Datum(channels=3, height=2, width=2, data=b"x" * 11),
            "11 numbers for an image of 3 channels, 2 rows and 2 columns",
            id="short",
        ),
        pytest.param(Datum(label=3), "0 numbers for an image of 0 channels", id="empty"),
        pytest.param(Datum(data=b"\xff\xd8", encoded=True), "not an image", id="damaged file"),
    ],
)
def test_refuses(datum: Datum, text: str) -> None:
    with pytest.raises(DataError, match=f"^db: record '07': {text}"):
        decode(datum, where="db: record '07'")


def test_refuses_other_bytes() -> None:
    with pytest.raises(DataError, match=r"^db: record '07': not a Datum message: 5 bytes"):
        parse_datum(b"hello", "db: record '07'")


RAW = to_datum(ramp(2, 3), 7).SerializeToString()
SIZE = b"\x08\x03\x10\x02\x18\x03"  # 3 channels, 2 rows, 3 columns


def test_raw_images_of_one_size_are_read_at_once() -> None:
    images = [ramp(2, 3, start=start) for start in (0, 50, 100)]
    labels = [7, -3, 300]  # of 1, 10 and 2 bytes
    datums = [to_datum(image, label) for image, label in zip(images, labels, strict=True)]
    datums[2].ClearField("encoded")

    block = raw_images([datum.SerializeToString() for datum in datums])

    assert block is not None
    np.testing.assert_array_equal(block[0], np.stack(images).transpose(0, 3, 1, 2))
    assert block[1] == labels


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(to_datum(ramp(3, 2), 0).SerializeToString(), id="another size"),
        pytest.param(to_datum(ramp(2, 4), 0).SerializeToString(), id="another number of bytes"),
        pytest.param(encoded_datum(b"...", 0).SerializeToString(), id="encoded"),
        pytest.param(RAW.replace(b"\x38\0", b"\x38\1"), id="encoded, with a size"),
        pytest.param(RAW + Datum(float_data=[0.5]).SerializeToString(), id="floats as well"),
        pytest.param(RAW + Datum(data=b"18 bytes are these").SerializeToString(), id="two images"),
        pytest.param(Datum(float_data=[0.5] * 18).SerializeToString(), id="floats"),
        pytest.param(b"\x28\7" + RAW, id="the label first"),
        pytest.param(SIZE + b"\x22\5" + b"12345", id="too few numbers"),
        pytest.param(RAW[:20], id="cut in the image"),
        pytest.param(RAW[:-1], id="cut behind it"),
        pytest.param(b"\xff" * 30, id="no message"),
        pytest.param(b"", id="empty"),
    ],
)
def test_other_records_are_read_singly(other: bytes) -> None:
    assert raw_images([RAW, RAW]) is not None
    assert raw_images([RAW, other]) is None
    assert raw_images([other, RAW]) is None


def test_records_of_negative_sizes_are_read_singly() -> None:
    datum = Datum(channels=-1, height=-2, width=3, data=b"123456")

    assert raw_images([datum.SerializeToString()]) is None


@pytest.mark.parametrize(
    "datum",
    [
        pytest.param(to_datum(ramp(200, 300), 5), id="raw"),
        pytest.param(to_datum(ramp(1, 2), -3), id="negative label"),
        pytest.param(encoded_datum(b"file" * 9000, 7), id="encoded"),
        pytest.param(Datum(channels=1, height=1, width=2, float_data=[0.5, 2]), id="floats"),
        pytest.param(Datum(label=4), id="no data"),
        pytest.param(Datum(), id="nothing"),
    ],
)
def test_a_message_and_its_data_are_split(datum: Datum) -> None:
    rest, data = split_datum(datum.SerializeToString())

    assert bytes(data) == datum.data
    datum.ClearField("data")
    rest.ClearField("data")
    assert rest == datum


def test_data_is_found_behind_other_fields() -> None:
    floats = Datum(float_data=[0.5]).SerializeToString()
    value = floats + to_datum(ramp(2, 3), 5).SerializeToString()

    rest, data = split_datum(value)

    assert bytes(data) == to_datum(ramp(2, 3), 5).data
    assert rest.label == 5


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"hello", id="text"),
        pytest.param(b"\x08", id="cut short in a tag"),
        pytest.param(b"\x08\xff\xff", id="cut short in a number"),
        pytest.param(to_datum(ramp(2, 3), 5).SerializeToString()[:20], id="cut short in data"),
        pytest.param(b"\x22\xff" + b"\xff" * 10, id="endless size"),
    ],
)
def test_other_bytes_are_not_split(value: bytes) -> None:
    with pytest.raises(DataError, match=r"^db: record '07': not a Datum message: "):
        split_datum(value, "db: record '07'")


def test_numbers_that_are_no_bytes_are_written_as_protobuf_writes_them() -> None:
    numbers = np.linspace(-3, 1e9, 2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)

    record = float_record(numbers)

    expected = Datum(channels=2, height=3, width=4, float_data=numbers.ravel().tolist())
    assert record == expected.SerializeToString()
    np.testing.assert_array_equal(decode(parse_datum(record)), numbers)


def test_what_is_behind_the_data_and_is_no_message_is_told_by_the_records_size() -> None:
    size = len(RAW) + 1

    with pytest.raises(DataError, match=f"^here: not a Datum message: {size} bytes do not parse$"):
        split_datum(RAW + b"\x28", "here")
