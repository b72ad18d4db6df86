"""Blobs and records as messages and as arrays."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from caffepy.proto import BlobProto, BlobProtoVector, Datum
from caffepy.pycaffe.messages import (
    array_to_blobproto,
    array_to_datum,
    arraylist_to_blobprotovector_str,
    blobproto_to_array,
    blobprotovector_str_to_arraylist,
    datum_to_array,
)

ARRAY = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("blob", "shape"),
    [
        pytest.param(
            BlobProto(num=1, channels=2, height=3, width=4, data=range(24)), (1, 2, 3, 4), id="old"
        ),
        pytest.param(BlobProto(shape={"dim": [6, 4]}, data=range(24)), (6, 4), id="new"),
        pytest.param(BlobProto(data=[0]), (), id="scalar"),
    ],
)
def test_a_blob_has_its_shape(blob: BlobProto, shape: tuple[int, ...]) -> None:
    array = blobproto_to_array(blob)

    assert array.shape == shape
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array.ravel(), np.arange(array.size))


def test_a_blob_without_its_shape() -> None:
    with pytest.raises(ValueError, match="there are 24"):
        blobproto_to_array(BlobProto(data=range(24)))


def test_arrays_become_blobs_and_back() -> None:
    blob = array_to_blobproto(ARRAY, diff=-ARRAY)

    assert list(blob.shape.dim) == [2, 3, 4]
    np.testing.assert_array_equal(blobproto_to_array(blob), ARRAY)
    np.testing.assert_array_equal(blobproto_to_array(blob, return_diff=True), -ARRAY)
    assert not array_to_blobproto(ARRAY).diff


def test_a_list_of_arrays_becomes_bytes_and_back() -> None:
    data = arraylist_to_blobprotovector_str([ARRAY, ARRAY[0] + 1])

    assert [list(blob.shape.dim) for blob in BlobProtoVector.FromString(data).blobs] == [
        [2, 3, 4],
        [3, 4],
    ]
    first, second = blobprotovector_str_to_arraylist(data)
    np.testing.assert_array_equal(first, ARRAY)
    np.testing.assert_array_equal(second, ARRAY[0] + 1)


def test_bytes_become_a_raw_record_and_back() -> None:
    datum = array_to_datum(ARRAY.astype(np.uint8), label=7)

    assert datum == Datum(channels=2, height=3, width=4, data=bytes(range(24)), label=7)
    array = datum_to_array(datum)
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, ARRAY)
    array += 1  # it can be written to


def test_floats_become_a_record_of_floats_and_back() -> None:
    datum = array_to_datum(ARRAY / 2)

    assert not datum.HasField("label")
    assert not datum.data
    assert list(datum.float_data) == [number / 2 for number in range(24)]
    assert datum_to_array(datum).dtype == np.float64
    np.testing.assert_array_equal(datum_to_array(datum), ARRAY / 2)


def test_a_label_takes_room() -> None:
    with_label, without = array_to_datum(ARRAY, label=0), array_to_datum(ARRAY)

    assert len(with_label.SerializeToString()) > len(without.SerializeToString())


def test_an_encoded_record_is_decoded() -> None:
    file = BytesIO()
    Image.new("RGB", (4, 3), (200, 100, 50)).save(file, "PNG")

    array = datum_to_array(Datum(data=file.getvalue(), encoded=True))

    np.testing.assert_array_equal(array[:, 1, 2], [50, 100, 200])


@pytest.mark.parametrize(
    "datum",
    [
        pytest.param(Datum(channels=2, height=3, width=4, data=b"123"), id="too few"),
        pytest.param(Datum(data=b"123", encoded=True), id="no image"),
    ],
)
def test_a_record_that_is_no_image(datum: Datum) -> None:
    with pytest.raises(ValueError, match="record: "):
        datum_to_array(datum)


def test_an_array_that_is_no_image() -> None:
    with pytest.raises(ValueError, match=r"Incorrect array shape: \(6, 4\)"):
        array_to_datum(ARRAY.reshape(6, 4))
