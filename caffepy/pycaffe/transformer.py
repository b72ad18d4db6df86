"""From images to what a net takes, and back."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from caffepy.errors import DataError, near
from caffepy.pycaffe.images import Floats, InputError, Numbers, resize_image

Shape: TypeAlias = tuple[int, ...]


class Transformer:
    """Turns images (H, W, K) into a net's inputs (K', H', W'), each step only where it is set.

    In this order: as float32, resized to the input's H' x W', axes transposed, channels swapped,
    times the raw scale, minus the mean, times the input scale. Caffe's models take BGR from 0 to
    255, which from `load_image` is: transpose (2, 0, 1), channel swap (2, 1, 0), raw scale 255.

    inputs: by blob, its shape (N, K', H', W').

    Raises:
        DataError: by all methods, for a blob that is not among the inputs.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]) -> None:
        self.inputs: dict[str, Shape] = {name: tuple(shape) for name, shape in inputs.items()}
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, Numbers] = {}
        self.input_scale: dict[str, float] = {}

    def preprocess(self, in_: str, data: Numbers) -> Floats:
        """An image as the input `in_` takes it; the array given is not changed."""
        shape = self._shape(in_)
        image = data.astype(np.float32)
        if image.shape[:2] != shape[2:]:
            image = resize_image(image, shape[2:])
        if in_ in self.transpose:
            image = image.transpose(self.transpose[in_])
        if in_ in self.channel_swap:
            image = image[list(self.channel_swap[in_])]
        if in_ in self.raw_scale:
            image *= self.raw_scale[in_]
        if in_ in self.mean:
            image -= self.mean[in_]
        if in_ in self.input_scale:
            image *= self.input_scale[in_]
        return image

    def deprocess(self, in_: str, data: Floats) -> Floats:
        """The image that an input holds, (1, K', H', W') or without the 1: the steps undone.

        But for the size, which stays. Without a transpose, axes of 1 are left out.
        """
        self._shape(in_)
        axes = len(self.transpose.get(in_, ()))
        image = data.copy().reshape(data.shape[-axes:]) if axes else data.copy().squeeze()
        if in_ in self.input_scale:
            image /= self.input_scale[in_]
        if in_ in self.mean:
            image += self.mean[in_]
        if in_ in self.raw_scale:
            image /= self.raw_scale[in_]
        if in_ in self.channel_swap:
            image = image[np.argsort(self.channel_swap[in_])]
        if in_ in self.transpose:
            image = image.transpose(np.argsort(self.transpose[in_]))
        return image

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """Put the axes into another order: (2, 0, 1) puts the channels first.

        Raises DataError where there are not as many as an input has, without its first.
        """
        axes = len(self._shape(in_)) - 1
        if len(order) != axes:
            raise DataError(
                "Transpose order needs to have the same number of dimensions as the input: it has "
                f"{len(order)}, and {in_!r} has {axes}"
            )
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """Put the channels into another order: (2, 1, 0) makes BGR of RGB, and back.

        Raises DataError where there are not as many as the input has.
        """
        channels = self._shape(in_)[1]
        if len(order) != channels:
            raise DataError(
                "Channel swap needs to have the same number of dimensions as the input channels: "
                f"it has {len(order)}, and {in_!r} has {channels}"
            )
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """Multiply by this before the mean is subtracted: 255, for means of bytes."""
        self._shape(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: Numbers) -> None:
        """Subtract a mean, in the net's order of channels: of each channel, (K',), or of each pixel.

        Raises InputError for a mean of other shape than the input's.
        """
        shape = self._shape(in_)[1:]
        if mean.ndim == 1:
            if len(mean) != shape[0]:
                raise InputError(
                    f"Mean channels incompatible with input: {len(mean)}, and {in_!r} has {shape[0]}"
                )
            self.mean[in_] = mean[:, None, None]
            return
        given = (1, *mean.shape) if mean.ndim == 2 else mean.shape
        if len(given) != 3:
            raise InputError(f"Mean shape invalid: {mean.shape}; it has 1, 2 or 3 axes")
        if given != shape:
            raise InputError(
                f"Mean shape incompatible with input: {given}, and {in_!r} takes {shape}; "
                "mean.mean(1).mean(1) is the mean of each channel"
            )
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: float) -> None:
        """Multiply by this in the end, after the mean is subtracted."""
        self._shape(in_)
        self.input_scale[in_] = scale

    def _shape(self, in_: str) -> Shape:
        if in_ not in self.inputs:
            raise DataError(
                f"{in_!r} is not one of the net inputs: {self.inputs}{near(in_, self.inputs)}"
            )
        return self.inputs[in_]
