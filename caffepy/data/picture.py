"""An opened image file: its size, and its bytes with the channels in any order."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from simplejpeg import decode_jpeg, decode_jpeg_header

from caffepy.data.resize import Pixels

JPEG = b"\xff\xd8\xff"
MODES = {"Gray": "L", "YCbCr": "RGB", "RGB": "RGB"}  # what Pillow calls libjpeg's colours


@dataclass(frozen=True)
class Picture:
    """An image of which the pixels are yet to be decoded, or to be put in order.

    mode: "L", "RGB" or "RGBA". raw: from an order of channels, such as "BGR", "RGBX" or "L", to
    bytes (height, width, channels).
    """

    height: int
    width: int
    mode: str
    raw: Callable[[str], Pixels]


def pillow_picture(image: Image.Image) -> Picture:
    """An image of Pillow's, in one of a Picture's modes."""

    def raw(order: str) -> Pixels:
        data = np.frombuffer(image.tobytes("raw", order), np.uint8)
        return data.reshape(image.height, image.width, len(order))

    return Picture(image.height, image.width, image.mode, raw)


def jpeg_picture(data: bytes) -> Picture | None:
    """A JPEG file, by libjpeg-turbo alone: Pillow's Python takes longer than a small file's pixels.

    None for what is left to Pillow: other types of files, CMYK, rare subsampling, and images so
    large that it warns of them or refuses them. `raw` raises ValueError where the file is not in perfect order; Pillow
    knows what can be read all the same, and says what cannot.
    """
    if not data.startswith(JPEG):
        return None
    try:
        height, width, colours, _ = decode_jpeg_header(data)
    except (ValueError, KeyError):  # it has no name for all kinds of subsampling
        return None
    limit = Image.MAX_IMAGE_PIXELS
    if colours not in MODES or (limit is not None and height * width > limit):
        return None

    def raw(order: str) -> Pixels:
        pixels: Pixels = decode_jpeg(data, "GRAY" if order == "L" else order)
        return pixels

    return Picture(height, width, MODES[colours], raw)


def check_jpeg(data: bytes) -> None:
    """Read all of a JPEG file, but compute few of its pixels; ValueError where it is damaged."""
    decode_jpeg(data, "GRAY", min_height=1, min_width=1)
