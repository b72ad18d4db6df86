"""Image files to pixels and back, as OpenCV reads them for Caffe: rows of blue, green, red."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import BytesIO
from os import PathLike
from struct import error as StructError

import numpy as np
from PIL import Image, UnidentifiedImageError

from caffepy.data.picture import Picture, check_jpeg, jpeg_picture, pillow_picture
from caffepy.data.resize import Pixels as Pixels
from caffepy.data.resize import resize, resize_words, separate
from caffepy.errors import DataError

FORMATS = ("BMP", "DIB", "JPEG", "JPEG2000", "PNG", "PPM", "SUN", "TIFF", "WEBP")
DAMAGED = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, StructError)

_Turn = Image.Transpose
GREY = ("1", "L")
ORDERS = {"L": "L", "RGB": "BGR", "RGBA": "BGRA"}
EXIF = b"Exif\0\0"
ORIENTATION = 0x0112
UPRIGHT = {  # how a camera held the picture, by the number EXIF gives it
    2: _Turn.FLIP_LEFT_RIGHT,
    3: _Turn.ROTATE_180,
    4: _Turn.FLIP_TOP_BOTTOM,
    5: _Turn.TRANSPOSE,
    6: _Turn.ROTATE_270,
    7: _Turn.TRANSVERSE,
    8: _Turn.ROTATE_90,
}
SIDEWAYS = (_Turn.TRANSPOSE, _Turn.ROTATE_270, _Turn.TRANSVERSE, _Turn.ROTATE_90)

ENCODERS: dict[str, tuple[str, dict[str, int]]] = {  # OpenCV's settings
    "bmp": ("BMP", {}),
    "jpeg": ("JPEG", {"quality": 95}),
    "jpg": ("JPEG", {"quality": 95}),
    "png": ("PNG", {"compress_level": 1}),
    "tif": ("TIFF", {}),
    "tiff": ("TIFF", {}),
    "webp": ("WEBP", {"lossless": 1}),
}


def read_file(path: str | PathLike[str]) -> bytes:
    """The bytes of a file; DataError where there is none, or it cannot be read."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a third of the time for a small one
            return file.read()
    except OSError as error:
        raise DataError(f"{str(path)!r}: {error.strerror}") from error
    except ValueError as error:  # a zero byte in the name
        raise DataError(f"{str(path)!r}: {error}") from error


def file_size(path: str | PathLike[str]) -> int:
    """The bytes that a file has; 0 where there is none."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - as in read_file
    except (OSError, ValueError):
        return 0


def decode_image(
    source: bytes | str | PathLike[str], color: bool | None = True, where: object = "image"
) -> Pixels:
    """The pixels of an image file, given by its path or as its bytes: uint8 (H, W, C).

    color True: 3 channels, blue first, of grey files too; False: 1 channel; both turned upright as
    EXIF says and without alpha. None: as it lies in the file, not turned, with 1, 3 or 4 channels
    (alpha last), which is how Caffe reads the encoded images of a database. 16 bits are cut to 8.
    `where` names the bytes in the DataError that a damaged or unknown file raises.
    """
    return _decode(source, color, where, _array)


def decode_planes(source: bytes, color: bool | None = None, where: object = "image") -> Pixels:
    """The same as `decode_image`, but channel by channel: uint8 (C, H, W)."""
    return _decode(source, color, where, _planes)


def decode_resized(
    source: bytes | str | PathLike[str],
    size: Callable[[int, int], tuple[int, int]],
    color: bool = True,
    where: object = "image",
) -> Pixels:
    """`resize(decode_image(...), ...)` in less time; size: of the image's rows and columns."""

    def resized(picture: Picture) -> Pixels:
        new = size(picture.height, picture.width)
        if picture.mode != "RGB" or picture.height * picture.width < math.prod(new):
            return resize(_array(picture), *new)
        # With 4 bytes for the 3 channels, pixels are moved as one.
        return resize_words(picture.raw("RGBX").view(np.uint32)[..., 0], *new)

    return _decode(source, color, where, resized)


def _decode(
    source: bytes | str | PathLike[str],
    color: bool | None,
    where: object,
    laid: Callable[[Picture], Pixels],
) -> Pixels:
    if not isinstance(source, bytes):
        source, where = read_file(source), repr(str(source))
    jpeg = _upright_jpeg(source, color)
    if jpeg is not None:
        with suppress(ValueError):
            return laid(jpeg)
    with _opened(source, where) as image:
        if color is False:
            image.draft("L", None)  # a JPEG's own luminance, as OpenCV takes it
        image.load()
        return laid(pillow_picture(_converted(image, color)))


def _upright_jpeg(data: bytes, color: bool | None) -> Picture | None:
    """A JPEG file that is as it should be, so that Pillow need not look at it; or None."""
    picture = jpeg_picture(data)
    if picture is None or color is None:
        return picture
    if EXIF in data:
        return None  # it may have to be turned
    return replace(picture, mode="RGB" if color else "L")


def decodable_shape(data: bytes, color: bool, where: object = "image") -> tuple[int, int, int]:
    """The shape of `decode_image(data, color)`, which is tried but for putting the pixels in order.

    DataError, naming `where`, for a damaged or unknown file.
    """
    channels = 3 if color else 1
    jpeg = _upright_jpeg(data, color)
    if jpeg is not None:
        with suppress(ValueError):
            check_jpeg(data)
            return jpeg.height, jpeg.width, channels
    with _opened(data, where) as image:
        height, width = image.height, image.width
        image.load()
        _check_bits(image)
        if _turn(image) in SIDEWAYS:
            height, width = width, height
        return height, width, channels


def file_shape(data: bytes, where: object = "image") -> tuple[str, tuple[int, int, int]]:
    """What an image file says of itself: its type, such as "JPEG", and (channels, height, width).

    The shape is that of `decode_image(data, None)`, and nothing is decoded. DataError, naming
    `where`, for an unknown file.
    """
    with _opened(data, where) as image:
        grey, alpha = image.mode in GREY or image.mode.startswith("I"), image.has_transparency_data
        channels = 1 if grey else 4 if alpha else 3
        return str(image.format), (channels, image.height, image.width)


@contextmanager
def _opened(data: bytes, where: object) -> Iterator[Image.Image]:
    """The image of a file; what goes wrong in the `with` is a DataError that names `where`."""
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            yield image
    except UnidentifiedImageError as error:
        raise DataError(f"{where}: {_unknown(data)}") from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{where}: too large an image: {error}") from error
    except DAMAGED as error:
        raise DataError(f"{where}: cannot be decoded: {error}") from error


def _unknown(source: bytes) -> str:
    if not source:
        return "empty file"
    if source.startswith(b"GIF8"):
        return "GIF images are not read, as in Caffe; convert it to PNG"
    return f"not an image, or damaged; formats read: {', '.join(FORMATS)}"


def _converted(image: Image.Image, color: bool | None) -> Image.Image:
    file_format = image.format
    image = _eight_bits(image)
    if color is not None:
        image = _upright(image)
    if color is False:
        return _grey(image, file_format)
    mode = "RGB"
    if color is None and image.mode in GREY:
        mode = "L"
    elif color is None and image.has_transparency_data:
        mode = "RGBA"
    else:
        image.info.pop("transparency", None)
    return image if image.mode == mode else image.convert(mode)


def _check_bits(image: Image.Image) -> bool:
    """Whether there are 16 bits a channel, to be cut to 8; ValueError for more."""
    sixteen = image.mode.startswith("I;16") or (
        image.mode == "I" and image.format in ("PNG", "PPM")
    )
    if image.mode in ("I", "F") and not sixteen:
        raise ValueError("32 bits a channel; 8 and 16 are read")
    return sixteen


def _eight_bits(image: Image.Image) -> Image.Image:
    if _check_bits(image):
        cut = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        cut.info = image.info
        return cut
    return image


def _upright(image: Image.Image) -> Image.Image:
    turn = _turn(image)
    return image if turn is None else image.transpose(turn)


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What brings a picture upright, where it is not."""
    if "exif" not in image.info:
        return None
    exif = Image.Exif()
    try:
        exif.load(image.info["exif"])
        return UPRIGHT.get(exif.get(ORIENTATION, 1))
    except DAMAGED:
        return None  # an EXIF block that says nothing does not spoil the picture


def _grey(image: Image.Image, file_format: str | None) -> Image.Image:
    image.info.pop("transparency", None)
    if file_format == "PNG" and image.mode not in ("1", "L", "LA"):
        # OpenCV leaves PNGs to libpng, which cuts where the others round.
        rgb = np.asarray(image.convert("RGB")).astype(np.int32)
        grey = (rgb @ np.array([9798, 19235, 3735], np.int32)) >> 15
        return Image.fromarray(grey.astype(np.uint8))
    return image.convert("L")


def _array(picture: Picture) -> Pixels:
    return picture.raw(ORDERS[picture.mode])


def _planes(picture: Picture) -> Pixels:
    if picture.mode == "L":
        return picture.raw("L")[None, ..., 0]
    planes = np.empty((len(picture.mode), picture.height, picture.width), np.uint8)
    words = picture.raw("RGBX" if picture.mode == "RGB" else "RGBA").view(np.uint32)
    separate(words[..., 0], planes)
    return planes


def check_extension(extension: str, where: object = "images") -> None:
    """Raise DataError, naming `where`, where no file of this type is written here."""
    if extension not in ENCODERS:
        raise DataError(
            f"{where}: cannot be encoded as {extension!r}; types written: {', '.join(ENCODERS)}"
        )


def encode_image(pixels: Pixels, extension: str, where: object = "image") -> bytes:
    """The file, of the type of an extension such as "png", that holds these pixels (H, W, 1 or 3).

    DataError, naming `where`, for another type.
    """
    check_extension(extension, where)
    file_format, settings = ENCODERS[extension]
    grey = pixels.shape[2] == 1
    image = Image.fromarray(pixels[..., 0] if grey else np.ascontiguousarray(pixels[..., ::-1]))
    file = BytesIO()
    image.save(file, file_format, **settings)
    return file.getvalue()
