"""From image files to the scores of a net."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffepy.data.images import Pixels, decode_resized
from caffepy.data.transform import Draws, Transform, read_mean, sized
from caffepy.errors import DataError, NetError
from caffepy.net.net import Net
from caffepy.proto import TransformationParameter


class Classifier:
    """A net that takes one blob of images and makes one of scores.

    Images are read in the colours that the input has channels for, their channels reversed where
    `rgb` is set, resized to `size` (None: that of the mean file, or else of the input),
    transformed, and cropped to the centre.

    classes: how many scores there are.

    Raises:
        NetError: the net has other inputs or outputs.
        DataError: `size` is smaller than the input; a mean does not fit.
    """

    def __init__(
        self,
        net: Net,
        param: TransformationParameter,
        size: tuple[int, int] | None = None,
        *,
        rgb: bool = False,
    ) -> None:
        self._net = net
        self._input, shape = one_input(net)
        self._output, self.classes = one_output(net)
        self._channels, self._crop = shape[1], shape[2:]
        self._device = next(net.parameters()).device
        self._transform = Transform(param, False, self._device, "classify")
        self._rgb = rgb
        self._size = self._crop if size is None else size
        if size is None and param.HasField("mean_file"):
            self._size = tuple(read_mean(param.mean_file).shape[1:])
        self._spare = [self._size[0] - self._crop[0], self._size[1] - self._crop[1]]
        if min(self._spare) < 0:
            raise DataError(
                f"images of {sized(self._size)} are too small to be cropped to the net's "
                f"{sized(self._crop)}"
            )

    @torch.no_grad()
    def scores(self, paths: Sequence[str]) -> Tensor:
        """The scores (N, classes) of N image files, on the CPU; DataError for an unreadable one."""
        images = torch.from_numpy(np.stack([self._read(path) for path in paths]))
        nowhere = np.zeros(len(paths), np.int64)
        still = Draws(nowhere, nowhere, nowhere.astype(bool))
        whole = self._transform(images.to(self._device), still)
        top, left = (spare // 2 for spare in self._spare)
        height, width = self._crop
        centre = whole[:, :, top : top + height, left : left + width]
        tops: dict[str, Tensor] = self._net(**{self._input: centre})
        return tops[self._output].flatten(1).cpu()

    def _read(self, path: str) -> Pixels:
        """One image as planes (C, H, W)."""
        height, width = self._size
        pixels = decode_resized(path, lambda *_: (height, width), self._channels == 3)
        planes: NDArray[np.uint8] = pixels.transpose(2, 0, 1)
        self._transform.window(planes.shape, repr(path))
        return planes[::-1] if self._rgb else planes


def one_input(net: Net) -> tuple[str, tuple[int, ...]]:
    """The blob that takes the images, and its shape (N, C, height, width)."""
    if len(net.inputs) != 1:
        found = (
            f"these: {', '.join(net.inputs)}" if net.inputs else "none; is it a deploy prototxt?"
        )
        raise NetError(f"net {net.name!r}: to classify it must have one input, and it has {found}")
    (name,) = net.inputs
    shape = net.shapes[name]
    if len(shape) != 4 or shape[1] not in (1, 3):
        raise NetError(
            f"net {net.name!r}: input {name!r} is {sized(shape)}; images are NxCxHxW, with 1 "
            "channel for grey or 3 for colour"
        )
    return name, shape


def one_output(net: Net) -> tuple[str, int]:
    """The blob of the scores, and how many classes it scores."""
    if len(net.outputs) != 1:
        raise NetError(
            f"net {net.name!r}: to classify it must have one output, the scores, and it has these: "
            f"{', '.join(net.outputs)}"
        )
    (name,) = net.outputs
    shape = net.shapes[name]
    if len(shape) < 2 or math.prod(shape[2:]) != 1:
        raise NetError(
            f"net {net.name!r}: output {name!r} is {sized(shape)}; scores are one number a class"
        )
    return name, shape[1]
