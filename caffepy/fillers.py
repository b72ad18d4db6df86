"""The numbers a blob starts with: Caffe's seven fillers, by the name a prototxt gives."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from caffepy.errors import LayerError, near
from caffepy.proto import FillerParameter

Shape = tuple[int, ...]

LARGEST = 2**31 - 1  # how many numbers a blob of Caffe's may have


def fill(filler: FillerParameter, shape: Shape) -> Tensor:
    """A new float32 tensor of `shape`, drawn from torch's global random numbers.

    Raises LayerError, its `field` the field of FillerParameter to blame, for an unknown type,
    `sparse` on any type but gaussian, and numbers that no distribution or shape allows.
    Source: caffe/include/caffe/filler.hpp
    """
    if filler.type not in FILLERS:
        hint = near(filler.type, FILLERS)
        known = ", ".join(FILLERS)
        raise LayerError(
            f"unknown filler type {filler.type!r}{hint} (known types: {known})", "type"
        )
    if filler.sparse != NOT_SPARSE and filler.type != "gaussian":
        text = f"sparse is {filler.sparse}, but only a gaussian filler can be sparse"
        raise LayerError(f"{text}, and this one is {filler.type}", "sparse")
    check_size(shape)
    return FILLERS[filler.type](filler, shape)


def check_size(shape: Shape) -> None:
    """Raise LayerError for a shape with more numbers than a blob may have."""
    if math.prod(shape) > LARGEST:
        raise LayerError(
            f"blob size exceeds INT_MAX: shape {shape} has {math.prod(shape)} numbers, "
            f"{LARGEST} at most are allowed"
        )


def constant(filler: FillerParameter, shape: Shape) -> Tensor:
    """`value` everywhere."""
    return torch.full(shape, filler.value)


def uniform(filler: FillerParameter, shape: Shape) -> Tensor:
    """U[min, max)."""
    if not filler.min <= filler.max:
        raise LayerError(f"min is {filler.min:g}, above max, which is {filler.max:g}", "min")
    return torch.empty(shape).uniform_(filler.min, filler.max)


def gaussian(filler: FillerParameter, shape: Shape) -> Tensor:
    """N(mean, std); with `sparse`, a weight is kept with probability sparse / shape[0], else 0."""
    if not filler.std > 0:
        raise LayerError(f"std is {filler.std:g}, must be above 0", "std")
    weights = torch.empty(shape).normal_(filler.mean, filler.std)
    if filler.sparse == NOT_SPARSE:
        return weights
    outputs = math.prod(shape[:1])
    if not 0 <= filler.sparse <= outputs:
        allowed = f"must be from 0 to {outputs}, the first axis of the blob's shape {shape}"
        raise LayerError(f"sparse is {filler.sparse}, {allowed}", "sparse")
    return weights * torch.empty(shape).bernoulli_(filler.sparse / outputs)


def positive_unitball(_filler: FillerParameter, shape: Shape) -> Tensor:
    """U(0, 1), with each of the shape[0] items divided by its sum."""
    items = torch.rand(shape).reshape(math.prod(shape[:1]), -1)
    return (items / items.sum(1, keepdim=True)).reshape(shape)


def xavier(filler: FillerParameter, shape: Shape) -> Tensor:
    """U(-s, s), s = sqrt(3 / n); n is the fan-in unless `variance_norm` says otherwise.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks".
    """
    bound = math.sqrt(3 / fan(filler, shape))
    return torch.empty(shape).uniform_(-bound, bound)


def msra(filler: FillerParameter, shape: Shape) -> Tensor:
    """N(0, sqrt(2 / n)); n is the fan-in unless `variance_norm` says otherwise.

    He et al., "Delving deep into rectifiers".
    """
    return torch.empty(shape).normal_(0, math.sqrt(2 / fan(filler, shape)))


def bilinear(_filler: FillerParameter, shape: Shape) -> Tensor:
    """The kernel of bilinear interpolation in every plane, for upsampling by Deconvolution.

    shape: (N, C, k, k). With f = ceil(k / 2) and c = (k - 1) / 2f, the weight at (y, x) is
    (1 - |y / f - c|) (1 - |x / f - c|).
    """
    if len(shape) != 4 or shape[2] != shape[3]:
        text = f"a bilinear filler needs a shape of 4 axes with square planes, not {shape}"
        raise LayerError(text, "type")
    size = shape[3]
    factor = math.ceil(size / 2)
    center = (size - 1) / (2 * factor)
    side = 1 - (torch.arange(size) / factor - center).abs()
    return torch.outer(side, side).expand(shape).clone()


def fan(filler: FillerParameter, shape: Shape) -> float:
    """How many weights feed an output (fan-in), how many an input feeds (fan-out), or the mean."""
    fan_in = math.prod(shape[1:])
    fan_out = math.prod(shape[:1] + shape[2:])
    if filler.variance_norm == FillerParameter.FAN_OUT:
        return fan_out
    if filler.variance_norm == FillerParameter.AVERAGE:
        return (fan_in + fan_out) / 2
    return fan_in


NOT_SPARSE = -1

FILLERS: dict[str, Callable[[FillerParameter, Shape], Tensor]] = {
    "constant": constant,
    "uniform": uniform,
    "gaussian": gaussian,
    "positive_unitball": positive_unitball,
    "xavier": xavier,
    "msra": msra,
    "bilinear": bilinear,
}
