import re
import zlib
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from caffepy.data.datum import parse_datum
from caffepy.data.images import (
    check_extension,
    decodable_shape,
    decode_image,
    decode_planes,
    decode_resized,
    encode_image,
    file_shape,
    file_size,
    read_file,
)
from caffepy.data.lmdb import LMDB
from caffepy.data.resize import resize
from caffepy.errors import DataError
from tests.data.databases import ramp

GOLDEN = Path(__file__).parents[1] / "golden" / "data"


def saved(image: Image.Image, file_format: str = "PNG", orientation: int | None = None) -> bytes:
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    file = BytesIO()
    image.save(file, file_format, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("name", ["p0.png", "p1.png", "j1.jpg", "grey.png"])
def test_grey_and_resized_as_caffe_stored_it(tmp_path: Path, name: str) -> None:
    database = tmp_path / "db"
    database.mkdir()
    (database / "data.mdb").write_bytes((GOLDEN / "gray_db" / "data.mdb").read_bytes())
    records = islice(LMDB(database).records(), 8)
    (value,) = (record.value for record in records if record.key.endswith(name.encode()))
    datum = parse_datum(value)
    expected = np.frombuffer(datum.data, np.uint8).reshape(20, 20, 1).astype(int)

    pixels = resize(decode_image(GOLDEN / "images" / name, color=False), 20, 20)

    assert np.abs(pixels - expected).max() <= 1
    assert np.mean(pixels != expected) < 0.01


@pytest.mark.parametrize("color", [True, False], ids=["colour", "grey"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK"])
def test_decoded_and_resized_at_once(mode: str, color: bool) -> None:
    file = BytesIO()
    image = Image.fromarray(ramp(9, 7)[..., ::-1]).convert(mode)
    image.save(file, "TIFF" if mode == "CMYK" else "PNG")

    found = decode_resized(file.getvalue(), lambda rows, columns: (rows - 4, 2 * columns), color)

    np.testing.assert_array_equal(found, resize(decode_image(file.getvalue(), color), 5, 14))


def test_blue_comes_first() -> None:
    file = saved(Image.new("RGB", (3, 2), (10, 20, 30)))

    np.testing.assert_array_equal(
        decode_image(file), np.broadcast_to(np.array([30, 20, 10]), (2, 3, 3))
    )


@pytest.mark.parametrize(
    ("mode", "pixel", "color", "grey", "as_is"),
    [
        pytest.param("RGB", (10, 20, 30), [30, 20, 10], [18], [30, 20, 10], id="RGB"),
        pytest.param("L", 77, [77, 77, 77], [77], [77], id="grey"),
        pytest.param("1", 1, [255, 255, 255], [255], [255], id="1 bit"),
        pytest.param("I;16", 0x4DFF, [77, 77, 77], [77], [77], id="16 bits"),
        pytest.param("LA", (77, 3), [77, 77, 77], [77], [77, 77, 77, 3], id="grey, alpha"),
        pytest.param("RGBA", (10, 20, 30, 40), [30, 20, 10], [18], [30, 20, 10, 40], id="alpha"),
    ],
)
def test_modes(mode: str, pixel: int, color: list[int], grey: list[int], as_is: list[int]) -> None:
    file = saved(Image.new(mode, (3, 2), pixel))

    for choice, expected in ((True, color), (False, grey), (None, as_is)):
        pixels = decode_image(file, choice)
        np.testing.assert_array_equal(pixels, np.broadcast_to(np.array(expected), pixels.shape))
        assert pixels.shape == (2, 3, len(expected))


def test_16_bit_colour_keeps_the_upper_byte() -> None:
    # Pillow writes no such file; this is a PNG of one row of two pixels.
    chunks = BytesIO()
    chunks.write(b"\x89PNG\r\n\x1a\n")
    header = bytes([0, 0, 0, 2, 0, 0, 0, 1, 16, 2, 0, 0, 0])
    row = b"\0" + np.array([0x12FF, 0x3400, 0x5680, 0x9A01, 0xBCFE, 0xDE7F], ">u2").tobytes()
    PngImagePlugin.putchunk(chunks, b"IHDR", header)
    PngImagePlugin.putchunk(chunks, b"IDAT", zlib.compress(row))
    PngImagePlugin.putchunk(chunks, b"IEND", b"")

    expected = [[[0x56, 0x34, 0x12], [0xDE, 0xBC, 0x9A]]]
    np.testing.assert_array_equal(decode_image(chunks.getvalue()), expected)


def test_palette_with_transparency_loses_it() -> None:
    image = Image.new("P", (3, 2), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    file = BytesIO()
    image.save(file, "PNG", transparency=b"\0\x80")

    assert decode_image(file.getvalue())[0, 0].tolist() == [30, 20, 10]
    assert decode_image(file.getvalue(), None)[0, 0].tolist() == [30, 20, 10, 0x80]
    assert decode_image(file.getvalue(), False)[0, 0].tolist() == [
        (9798 * 10 + 19235 * 20 + 3735 * 30) >> 15
    ]


def test_cmyk_jpeg_becomes_blue_green_red() -> None:
    file = saved(Image.new("CMYK", (16, 16), (255, 0, 255, 0)), "JPEG")  # green

    assert np.abs(decode_image(file)[8, 8].astype(int) - [0, 255, 0]).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation: int) -> None:
    stored = ramp(2, 3)
    upright = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: np.rot90(stored, -1),
        7: np.rot90(stored.transpose(1, 0, 2), 2),
        8: np.rot90(stored),
    }[orientation]
    file = saved(Image.fromarray(stored[..., ::-1].copy()), orientation=orientation)

    np.testing.assert_array_equal(decode_image(file), upright)
    np.testing.assert_array_equal(decode_image(file, None), stored)


def test_a_spoilt_exif_block_leaves_the_picture() -> None:
    file = BytesIO()
    Image.fromarray(ramp(16, 16)).save(file, "JPEG", exif=b"Exif\0\0spoilt")

    assert decode_image(file.getvalue()).shape == (16, 16, 3)


JPEG = saved(Image.fromarray(ramp(40, 50)), "JPEG")


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        pytest.param(b"", "empty file", id="empty"),
        pytest.param(b"not an image", "not an image, or damaged; formats read: BMP", id="text"),
        pytest.param(saved(Image.new("L", (2, 2)), "GIF"), "GIF images are not read", id="GIF"),
        pytest.param(JPEG[:-200], "cannot be decoded: .*truncated", id="truncated JPEG"),
        pytest.param(
            saved(Image.fromarray(ramp(9, 9)))[:50], "cannot be decoded", id="truncated PNG"
        ),
        pytest.param(
            saved(Image.new("F", (2, 2)), "TIFF"),
            "cannot be decoded: 32 bits a channel",
            id="float TIFF",
        ),
    ],
)
def test_refuses(file: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=f"^record 'x': {reason}"):
        decode_image(file, where="record 'x'")


def test_refuses_a_decompression_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)

    with pytest.raises(DataError, match=r"too large an image: .*2000 pixels"):
        decode_image(JPEG)


def test_a_zero_byte_in_a_name() -> None:
    with pytest.raises(DataError, match=r"'a\\x00b.png': embedded null byte"):
        decode_image("a\0b.png")


def test_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 broken")

    with pytest.raises(DataError, match=r"broken\.jpg': not an image, or damaged"):
        decode_image(tmp_path / "broken.jpg")
    with pytest.raises(DataError, match=r"none\.jpg': No such file"):
        read_file(tmp_path / "none.jpg")


@pytest.mark.parametrize("extension", ["png", "bmp", "tif", "tiff", "webp"])
@pytest.mark.parametrize("channels", [1, 3])
def test_encodes_without_loss(extension: str, channels: int) -> None:
    image = ramp(5, 7, channels)

    np.testing.assert_array_equal(
        decode_image(encode_image(image, extension), channels == 3), image
    )


@pytest.mark.parametrize("extension", ["jpg", "jpeg"])
def test_encodes_jpeg(extension: str) -> None:
    image = np.full((16, 24, 3), (30, 20, 200), np.uint8)

    decoded = decode_image(encode_image(image, extension))

    assert np.abs(decoded.astype(int) - image).max() <= 3


def test_refuses_a_type_it_does_not_write() -> None:
    with pytest.raises(
        DataError, match=r"'a\.gif': cannot be encoded as 'gif'; types written: bmp"
    ):
        check_extension("gif", "'a.gif'")


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("color", [True, False, None])
def test_planes(color: bool | None, mode: str, file_format: str) -> None:
    image = Image.fromarray(ramp(9, 7, 4)).convert(mode)
    data = saved(image if file_format == "PNG" else image.convert(mode[:3]), file_format)

    planes = decode_planes(data, color)

    np.testing.assert_array_equal(planes, decode_image(data, color).transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("file_format", "mode"),
    [
        *(("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        *(("JPEG", mode) for mode in ("L", "RGB", "CMYK")),
        *(("TIFF", mode) for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK")),
    ],
)
def test_the_shape_is_known_without_decoding(file_format: str, mode: str) -> None:
    blank = np.full((5, 7), 9, np.uint16)
    data = saved(Image.fromarray(blank) if mode == "I;16" else Image.new(mode, (7, 5)), file_format)

    file_type, (channels, height, width) = file_shape(data)

    assert file_type == file_format
    assert (height, width, channels) == decode_image(data, None).shape


@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize("orientation", [None, 3, 6])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_shape_of_what_can_be_decoded(mode: str, orientation: int | None, color: bool) -> None:
    data = saved(Image.new(mode, (7, 5)), "JPEG", orientation)

    assert decodable_shape(data, color) == decode_image(data, color).shape


@pytest.mark.parametrize("color", [True, False])
def test_what_cannot_be_decoded_has_no_shape(color: bool) -> None:
    data = saved(Image.effect_noise((64, 64), 50), "JPEG")

    with pytest.raises(DataError, match="here: cannot be decoded: image file is truncated"):
        decodable_shape(data[:-300], color, "here")
    with pytest.raises(DataError, match="here: cannot be decoded: 32 bits a channel"):
        decodable_shape(saved(Image.new("F", (3, 2)), "TIFF"), color, "here")


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_cut_anywhere_has_a_shape_if_it_can_be_decoded(progressive: bool) -> None:
    file = BytesIO()
    Image.effect_noise((70, 50), 40).convert("RGB").save(file, "JPEG", progressive=progressive)
    data = file.getvalue()
    decoded = 0
    for length in range(len(data) + 1):
        try:
            shape = decode_image(data[:length]).shape
        except DataError as error:
            with pytest.raises(DataError, match=re.escape(str(error))):
                decodable_shape(data[:length], color=True)
        else:
            assert decodable_shape(data[:length], color=True) == shape
            decoded += 1
    assert 0 < decoded < 5


def test_the_size_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")

    assert [file_size(tmp_path / name) for name in ("file", "none", "zero\0")] == [5, 0, 0]


def test_the_shape_of_what_is_no_image() -> None:
    with pytest.raises(DataError, match="here: not an image, or damaged"):
        file_shape(b"broken", "here")
