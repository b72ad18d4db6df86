from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from caffepy.data.picture import check_jpeg, jpeg_picture, pillow_picture
from tests.data.databases import ramp


def jpeg(mode: str, **settings: object) -> bytes:
    file = BytesIO()
    Image.fromarray(ramp(23, 37)).convert(mode).save(file, "JPEG", **settings)
    return file.getvalue()


@pytest.mark.parametrize("order", ["L", "BGR", "RGBX"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(
    "settings",
    [
        {"subsampling": 0},
        {"subsampling": 2, "quality": 40},
        {"progressive": True},
        {"restart_marker_blocks": 2},
        {"subsampling": 0, "keep_rgb": True},
    ],
)
def test_a_jpeg_has_the_pixels_that_pillow_gives_it(
    settings: dict[str, object], mode: str, order: str
) -> None:
    data = jpeg(mode, **settings)
    image = Image.open(BytesIO(data))
    if order == "L":
        image.draft("L", None)
    expected = pillow_picture(image if order == "L" else image.convert("RGB"))

    picture = jpeg_picture(data)

    assert picture is not None
    assert (picture.height, picture.width, picture.mode) == (23, 37, mode)
    shown = 1 if order == "L" else 3
    found, pixels = picture.raw(order), expected.raw(order)
    assert found.shape == (23, 37, len(order))
    np.testing.assert_array_equal(found[..., :shown], pixels[..., :shown])


def test_the_bytes_of_pillows_image() -> None:
    pixels = ramp(5, 7, 4)

    picture = pillow_picture(Image.fromarray(pixels))

    assert (picture.height, picture.width, picture.mode) == (5, 7, "RGBA")
    np.testing.assert_array_equal(picture.raw("BGRA"), pixels[..., [2, 1, 0, 3]])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xd8\xff", id="beginning"),
        pytest.param(jpeg("RGB")[:200], id="half a header"),
        pytest.param(jpeg("CMYK"), id="CMYK"),
        pytest.param(jpeg("RGB").replace(b"\1\x22", b"\1\x14"), id="colours of 4 rows for one"),
        pytest.param(b" " + jpeg("RGB"), id="another type"),
    ],
)
def test_what_is_left_to_pillow(data: bytes) -> None:
    assert jpeg_picture(data) is None


def test_an_image_of_which_pillow_would_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    data = jpeg("RGB")

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 23 * 37 - 1)
    assert jpeg_picture(data) is None
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert jpeg_picture(data) is not None


@pytest.mark.parametrize("progressive", [False, True])
def test_a_damaged_jpeg(progressive: bool) -> None:
    data = jpeg("RGB", progressive=progressive)
    cut = data[:-20] + data[-2:]
    picture = jpeg_picture(cut)

    check_jpeg(data)
    with pytest.raises(ValueError, match="premature end of data segment"):
        check_jpeg(cut)
    assert picture is not None
    with pytest.raises(ValueError, match="premature end of data segment"):
        picture.raw("BGR")
