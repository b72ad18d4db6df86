"""caffe.Detector: a net that says what windows of images show (R-CNN)."""

import importlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

from caffepy.errors import CaffeError, DataError
from caffepy.proto import TEST
from caffepy.pycaffe.images import Floats, InputError, Numbers, load_image, resize_image
from caffepy.pycaffe.net import Net
from caffepy.pycaffe.scoring import input_transformer, scores

Window: TypeAlias = Sequence[float] | NDArray[np.generic]  # ymin, xmin, ymax, xmax, in pixels
Box: TypeAlias = NDArray[np.float64]
SEARCH = "selective_search_ijcv_with_python"


class Detection(TypedDict):
    """What a net says of one window of an image: the output's row for it."""

    window: Window
    prediction: Floats
    filename: str


class Detector(Net):
    """A Net with weights, and what is to be done to windows of images before it.

    A window is resized to the input, whatever its shape, and turned into it by `transformer`: see
    Transformer for mean, scales and channel_swap.

    context_pad: how many pixels of the input, at each side, show what lies around the window; the
        mean where that is beyond the image. Takes a square input, and a mean a channel or of the
        input's size.

    Raises:
        CaffeError: a file is wrong, or the net takes no images.
        InputError: `mean` does not fit the input; context_pad leaves nothing of it, or it is no
            square.
    """

    def __init__(  # noqa: PLR0913 - pycaffe's signature
        self,
        model_file: str | Path,
        pretrained_file: str | Path,
        mean: Numbers | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ) -> None:
        super().__init__(model_file, TEST, weights=pretrained_file)
        self.transformer = input_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def detect_windows(
        self, images_windows: Iterable[tuple[str, Iterable[Window]]]
    ) -> list[Detection]:
        """What the net says of each window of each image file, in their order.

        Args:
            images_windows: of each image its file, and its windows (ymin, xmin, ymax, xmax).

        Raises:
            DataError: a file cannot be read, or a window has no pixel in its image.
        """
        asked = [(name, list(windows)) for name, windows in images_windows]
        predictions = scores(self, self.transformer, self._windows(asked))
        named = [(name, window) for name, windows in asked for window in windows]
        return [
            {"window": window, "prediction": prediction, "filename": name}
            for (name, window), prediction in zip(named, predictions, strict=True)
        ]

    def detect_selective_search(self, image_fnames: Iterable[str]) -> list[Detection]:
        """What the net says of the windows that selective search proposes, which MATLAB does.

        Raises:
            CaffeError: the package that asks MATLAB for them is not there.
        """
        search = _import_search()
        files = [str(Path(name).absolute()) for name in image_fnames]
        found = search.get_windows(files, cmd="selective_search_rcnn")
        return self.detect_windows(zip(files, found, strict=True))

    def crop(self, im: Floats, window: Window) -> Floats:
        """A window of an image (H, W, K), with its context where that was asked for.

        Raises:
            DataError: no pixel of the image is in it.
        """
        box = np.asarray(window, np.float64)
        shown = self._with_context(im, box) if self.context_pad else _inside(im, box)
        if shown is None:
            raise DataError(
                f"window (ymin, xmin, ymax, xmax) = {tuple(box.tolist())} has no pixel in an image "
                f"of {im.shape[0]} rows and {im.shape[1]} columns"
            )
        return shown

    def configure_crop(self, context_pad: int | None) -> None:
        """Set how much context windows are given from now on; 0 or None: none."""
        _, channels, height, width = self.blobs[self.inputs[0]].shape
        self.crop_dims = np.array([height, width, channels])
        self.context_pad = context_pad
        if not context_pad:
            return
        if height != width or not 0 < 2 * context_pad < width:
            raise InputError(
                f"context_pad is {context_pad}: it takes a square input of more than twice as many "
                f"pixels, and {self.inputs[0]!r} is {height}x{width}"
            )
        self.crop_mean = self._mean_image()

    def _windows(self, asked: Iterable[tuple[str, list[Window]]]) -> Iterator[Floats]:
        for name, windows in asked:
            image = load_image(name)
            for window in windows:
                try:
                    yield self.crop(image, window)
                except DataError as error:
                    raise DataError(f"{name}: {error}") from error

    def _mean_image(self) -> Floats:
        """The mean as an image (H, W, K) is before it is transformed."""
        name, transformer = self.inputs[0], self.transformer
        image = np.zeros(self.crop_dims, np.float32)
        if name not in transformer.mean:
            return image
        mean = transformer.mean[name].transpose(1, 2, 0)
        if name in transformer.channel_swap:
            mean = mean[..., np.argsort(transformer.channel_swap[name])]
        image += mean / transformer.raw_scale.get(name, 1)
        return image

    def _with_context(self, im: Floats, box: Box) -> Floats | None:
        """A window with what lies around it, as an image of the input's size; None of no pixels.

        Source: caffe/python/caffe/detector.py
        """
        size = int(self.crop_dims[0])
        grown = _grown(box, size / (size - 2 * (self.context_pad or 0)))
        clipped = grown.clip(0, [*im.shape[:2], *im.shape[:2]])
        inside = _inside(im, clipped)
        if inside is None:
            return None
        scale = size / (grown[2:] - grown[:2] + 1)
        margin = np.round(np.maximum(0, -grown[:2]) * scale).clip(max=size - 1)
        extent = np.round((clipped[2:] - clipped[:2] + 1) * scale).clip(1, size - margin)
        (y, x), (height, width) = margin.astype(int), extent.astype(int)
        image = self.crop_mean.copy()
        image[y : y + height, x : x + width] = resize_image(inside, (height, width))
        return image


def _inside(im: Floats, box: Box) -> Floats | None:
    """The pixels of an image in a window; None where there are none."""
    top, left, bottom, right = np.maximum(box, 0).astype(int)
    inside = im[top:bottom, left:right]
    return inside if inside.size else None


def _grown(box: Box, scale: float) -> Box:
    """A window around the same centre, larger by a factor, in whole pixels."""
    half = (box[2:] - box[:2] + 1) / 2
    centre = box[:2] + half
    return np.round(np.concatenate([centre - scale * half, centre + scale * half]))


def _import_search() -> ModuleType:
    try:
        return importlib.import_module(SEARCH)
    except ImportError as error:
        raise CaffeError(
            f"selective search needs the package {SEARCH}, and MATLAB, which it starts; "
            "detect_windows, or `detect --crop_mode list`, takes windows from elsewhere"
        ) from error
