"""Image files and arrays, as pycaffe's scripts have them: (H, W, K), red first, from 0 to 1."""

from collections.abc import Sequence
from os import PathLike
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from caffepy.data.images import decode_image
from caffepy.data.resample import MAX_ORDER, resample
from caffepy.errors import DataError

Floats: TypeAlias = NDArray[np.float32]
Numbers: TypeAlias = NDArray[np.float32] | NDArray[np.float64] | NDArray[np.uint8]
Dims: TypeAlias = Sequence[int] | NDArray[np.int64]  # height and width

UNIT = (np.arange(256) / 255).astype(np.float32)
LUMA = np.array([0.2125, 0.7154, 0.0721])  # of red, green and blue (ITU-R BT.709)


class InputError(DataError, ValueError):
    """An image, a size or a mean that does not fit; a ValueError, as in pycaffe."""


def load_image(filename: str | PathLike[str] | BinaryIO, color: bool = True) -> Floats:
    """An image file as (H, W, 3), red first, or (H, W, 1) where `color` is not asked for.

    By its name, or opened for reading bytes, as io.BytesIO is.

    From 0 to 1, as it lies in the file: not turned as EXIF says, and without alpha. Grey files are
    repeated for three channels; of colours, grey is 0.2125 R + 0.7154 G + 0.0721 B.

    Raises:
        DataError: no such file, or no image.
    """
    source = filename if isinstance(filename, str | PathLike) else filename.read()
    pixels = decode_image(source, color=None)[..., :3]
    if pixels.shape[2] == 1:
        return UNIT[np.tile(pixels, (1, 1, 3)) if color else pixels]
    rgb = pixels[..., ::-1]
    if color:
        return UNIT[rgb]
    grey: Floats = (rgb @ (LUMA / 255))[..., None].astype(np.float32)
    return grey


def resize_image(im: Numbers, new_dims: Dims, interp_order: int = 1) -> Floats:
    """An image (H, W, K) at new_dims, (height, width): float32.

    Images of 1 or 3 channels keep their edges in place and stay within their least and greatest
    value, the least being what lies beyond the edges; of other numbers of channels, the centres of
    the corners stay, and nothing is cut off. No antialiasing.

    Args:
        im: the image.
        new_dims: height and width.
        interp_order: of the splines: 0 nearest, 1 bilinear, up to 5.

    Raises:
        InputError: `im` has not three axes, or there is no such size or order.
    """
    if im.ndim != 3:
        raise InputError(f"an image has the axes height, width and channels; got shape {im.shape}")
    height, width = (int(size) for size in new_dims)
    if min(*im.shape, height, width) < 1:
        raise InputError(f"an image of shape {im.shape} cannot be resized to {height}x{width}")
    if interp_order not in range(MAX_ORDER + 1):
        raise InputError(f"interp_order is {interp_order}; it is 0 to {MAX_ORDER}")
    values = im.astype(np.float64)
    if im.shape[2] not in (1, 3):
        return resample(values, height, width, interp_order, corners=True).astype(np.float32)
    low, high = values.min(), values.max()
    if low == high:
        return np.full((height, width, im.shape[2]), low, np.float32)
    above = resample(values - low, height, width, interp_order, corners=False)
    resized: Floats = (low + above.clip(0, high - low)).astype(np.float32)
    return resized


def oversample(images: Sequence[Numbers], crop_dims: Dims) -> Floats:
    """Ten crops of each image: the corners and the centre, then the same mirrored.

    Args:
        images: N images (H, W, K) of one size.
        crop_dims: height and width of the crops.

    Returns:
        (10 N, height, width, K): of an image, top left, top right, bottom left, bottom right,
        centre, and their mirror images.

    Raises:
        InputError: the crops are larger than the images.
    """
    whole = np.asarray(images, np.float32)
    height, width = (int(size) for size in crop_dims)
    down, right = check_crop(whole.shape[1:3], (height, width))
    corners = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    crops = [whole[:, y : y + height, x : x + width] for y, x in corners]
    both = [*crops, *(crop[:, :, ::-1] for crop in crops)]
    return np.stack(both, axis=1).reshape(-1, height, width, whole.shape[3])


def check_crop(size: Dims, crop: Dims) -> tuple[int, int]:
    """How much (height, width) is left over by a crop; InputError where it is larger."""
    down, right = (int(whole) - int(part) for whole, part in zip(size, crop, strict=True))
    if down < 0 or right < 0:
        raise InputError(
            f"a crop of {crop[0]}x{crop[1]} does not fit into images of {size[0]}x{size[1]}"
        )
    return down, right
