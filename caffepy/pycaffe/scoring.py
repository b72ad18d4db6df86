"""What Classifier and Detector have in common: images through a net, whatever its batch size."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias

import numpy as np

from caffepy.errors import DataError, NetError
from caffepy.pycaffe.images import Floats, Numbers
from caffepy.pycaffe.net import Net
from caffepy.pycaffe.transformer import Transformer

Scale: TypeAlias = float | None


def input_transformer(
    net: Net,
    mean: Numbers | None,
    input_scale: Scale,
    raw_scale: Scale,
    channel_swap: Sequence[int] | None,
) -> Transformer:
    """What turns images (H, W, K) into the first input of a net, (K', H', W').

    Raises:
        NetError: the net has no input that takes images.
        DataError: a setting does not fit the input.
    """
    if not net.inputs or len(net.blobs[net.inputs[0]].shape) != 4:
        raise NetError(
            f"net {net.name!r}: images need an Input layer with a blob of 4 axes; is it a deploy "
            "prototxt?"
        )
    name = net.inputs[0]
    transformer = Transformer({name: net.blobs[name].shape})
    transformer.set_transpose(name, (2, 0, 1))
    if mean is not None:
        transformer.set_mean(name, mean)
    if input_scale is not None:
        transformer.set_input_scale(name, input_scale)
    if raw_scale is not None:
        transformer.set_raw_scale(name, raw_scale)
    if channel_swap is not None:
        transformer.set_channel_swap(name, channel_swap)
    return transformer


def scores(net: Net, transformer: Transformer, images: Iterable[Numbers]) -> Floats:
    """The first output of a net, (N, ...), for N images (H, W, K).

    They are taken, and transformed, a batch of the net at a time; the last one is filled up with
    zeros.

    Raises:
        DataError: an image has not the channels of the net, or there is none.
    """
    made = list(_batches(net, transformer, iter(images)))
    if not made:
        raise DataError(f"net {net.name!r}: there are no images to run it on")
    return np.concatenate(made)


def _batches(net: Net, transformer: Transformer, images: Iterator[Numbers]) -> Iterator[Floats]:
    blob = net.blobs[net.inputs[0]]
    while batch := [_ready(net, transformer, image) for image in islice(images, blob.shape[0])]:
        blob.data[: len(batch)] = batch
        blob.data[len(batch) :] = 0
        yield net.forward()[net.outputs[0]][: len(batch)].copy()


def _ready(net: Net, transformer: Transformer, image: Numbers) -> Floats:
    channels = net.blobs[net.inputs[0]].shape[1]
    if image.ndim != 3 or image.shape[2] != channels:
        raise DataError(
            f"net {net.name!r} takes images of {channels} channels, (H, W, {channels}); got one of "
            f"shape {image.shape}"
        )
    return transformer.preprocess(net.inputs[0], image)
