"""Colours distorted as SSD's fork of Caffe does it: brightness, contrast, saturation and hue."""

from collections.abc import Iterator
from itertools import permutations
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffepy.data.chance import COLOUR, uniforms
from caffepy.data.crop import refused
from caffepy.proto import DistortionParameter, TransformationParameter

WHITE = 255.0
SEXTANT = 60.0  # degrees of hue from one of red, yellow, green, cyan, blue, magenta to the next
TINY = 1e-6
IN_CACHE = 4  # images at a time: what several steps go over should stay in a CPU's cache
CHANCES = 11  # numbers drawn for each image
ORDERS = np.array([*permutations(range(3))])

Chances = NDArray[np.float64]  # (N,), from 0 to 1


class Colours(NamedTuple):
    """What was drawn for each of N images: (N,) each but the last.

    brightness is added, contrast and saturation are factors, hue is turned by so many degrees;
    contrast_first: whether contrast is changed before saturation and hue, or after them. order:
    (N, 3), which channel takes the place of each.
    """

    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    hue: Tensor
    contrast_first: Tensor
    order: Tensor


class Distortion:
    """The distortions that a DistortionParameter allows; LayerError for impossible settings.

    Each is done with a probability of its own. All six orders of the channels are drawn equally
    often.

    Source: ssd/src/caffe/util/im_transforms.cpp
    """

    def __init__(self, param: TransformationParameter, owner: str) -> None:
        for text in wrong(param.distort_param):
            raise refused(owner, f"distort_param: {text}", "distort_param")
        self._param = param.distort_param

    def draw(self, seed: int, numbers: NDArray[np.uint64]) -> Colours:
        """The distortions of the images of these numbers."""
        param, chance = self._param, uniforms(seed, COLOUR, numbers, CHANCES).T
        bright, turn = param.brightness_delta, 2 * param.hue_delta
        factors = (param.contrast_lower, param.contrast_upper)
        saturations = (param.saturation_lower, param.saturation_upper)
        order = np.where(chance[9] < param.random_order_prob, (6 * chance[10]).astype(np.int64), 0)
        return Colours(
            brightness=drawn(param.brightness_prob, (-bright, bright), chance[0:2], 0),
            contrast=drawn(param.contrast_prob, factors, chance[2:4], 1),
            saturation=drawn(param.saturation_prob, saturations, chance[4:6], 1),
            hue=drawn(param.hue_prob, (-turn, turn), chance[6:8], 0),
            contrast_first=torch.from_numpy(chance[8] >= 0.5),
            order=torch.from_numpy(ORDERS[order]),
        )


def wrong(param: DistortionParameter) -> Iterator[str]:
    """What of the settings is impossible."""
    for field, value in param.ListFields():
        if field.name.endswith("_prob") and not 0 <= value <= 1:
            yield f"{field.name} is {value:g}; it is a probability, 0 to 1"
        elif not 0 <= value < np.inf:
            yield f"{field.name} is {value:g}; 0 or more is allowed"
    for name in ("contrast", "saturation"):
        lower, upper = getattr(param, f"{name}_lower"), getattr(param, f"{name}_upper")
        if lower > upper:
            yield f"{name}_lower is {lower:g}, above {name}_upper, which is {upper:g}"


def drawn(
    probability: float, limits: tuple[float, float], chance: Chances, otherwise: float
) -> Tensor:
    """(N,): with a probability a number within limits, else another one; chance: (2, N)."""
    low, high = limits
    numbers = np.where(chance[0] < probability, low + chance[1] * (high - low), otherwise)
    return torch.from_numpy(numbers.astype(np.float32))


def distort(x: Tensor, colours: Colours) -> None:
    """Distort the colours of images (N, 3, h, w), blue first, from 0 to 255, in place.

    After each step what is below 0 or above 255 is cut off. Unlike SSD's, which does it to bytes,
    nothing is rounded, and hue turns on beyond red.
    """
    for part in range(0, len(x), IN_CACHE):
        some = slice(part, part + IN_CACHE)
        distort_some(x[some], Colours(*(each[some].to(x.device) for each in colours)))


def distort_some(x: Tensor, colours: Colours) -> None:
    """The same for a few images."""
    first = colours.contrast_first
    if colours.brightness.any():
        x.add_(spread(colours.brightness)).clamp_(0, WHITE)
    multiply(x, torch.where(first, colours.contrast, 1))
    if (colours.saturation != 1).any():
        saturate(x, spread(colours.saturation))
    if (turned := colours.hue.nonzero().flatten()).numel():
        x[turned] = turned_hue(x[turned], colours.hue[turned][:, None, None])
    multiply(x, torch.where(first, 1, colours.contrast))
    if (colours.order != torch.arange(3, device=x.device)).any():
        x.copy_(x[torch.arange(len(x), device=x.device)[:, None], colours.order])


def spread(numbers: Tensor) -> Tensor:
    """A number for each image, to meet all its pixels."""
    return numbers[:, None, None, None]


def multiply(x: Tensor, factors: Tensor) -> None:
    """Multiply images by their factors, and cut off at white."""
    if (factors != 1).any():
        x.mul_(spread(factors)).clamp_(max=WHITE)


def saturate(x: Tensor, factors: Tensor) -> None:
    """Multiply HSV's S, (max - min) / max, by factors; it is at most 1. H and V stay."""
    most, least = x.amax(1, keepdim=True), x.amin(1, keepdim=True)
    factors = torch.minimum(factors, most / (most - least).clamp_(min=TINY))
    x.sub_(most).mul_(factors).add_(most)


def turned_hue(x: Tensor, degrees: Tensor) -> Tensor:
    """Images with HSV's H turned by degrees (N, 1, 1); S and V stay."""
    blue, green, red = x.unbind(1)
    most, least = x.amax(1), x.amin(1)
    chroma = most - least
    safe = chroma.clamp(min=TINY)
    hue = torch.where(most == green, (blue - red) / safe + 2, (red - green) / safe + 4)
    hue = torch.where(most == red, (green - blue) / safe, hue) + degrees / SEXTANT
    places = torch.stack([hue + shift for shift in (1, 3, 5)], 1)
    places -= (places / 6).floor_().mul_(6)
    return most[:, None] - chroma[:, None] * torch.minimum(places, 4 - places).clamp_(0, 1)
