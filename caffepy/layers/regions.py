"""Regions of interest, (R, 5): the image each is of, and its box x1, y1, x2, y2 in that image."""

from typing import NamedTuple

import torch
from torch import Tensor

from caffepy.layers.layer import Layer, Shape


class Bins(NamedTuple):
    """Along one axis, the elements of each bin of each region: `start` up to `stop`, int64 (R, B).

    A bin that lies beyond the plane is empty: it stops where it starts.
    """

    start: Tensor
    stop: Tensor

    @property
    def counts(self) -> Tensor:
        """How many elements each bin has."""
        return self.stop - self.start


class Regions(NamedTuple):
    """Regions read from a bottom.

    image: int64 (R,); known: whether there is such an image, and the box is finite (R,);
    columns, rows: x1, x2 and y1, y2, each (2, R). What is not known is all 0.
    """

    image: Tensor
    known: Tensor
    columns: Tensor
    rows: Tensor


def read_regions(rois: Tensor, images: int) -> Regions:
    """Take apart a bottom of regions, (R, 5), where there are so many images.

    Caffe computes with the regions in float32, and the edges of bins depend on it; so does this,
    where they come with fewer bits.
    """
    rois = rois.detach().flatten(1)
    rois = rois.to(torch.promote_types(rois.dtype, torch.float32))
    image = rois[:, 0].trunc()
    known = rois.isfinite().all(1) & (image >= 0) & (image < images)
    image, x1, y1, x2, y2 = torch.where(known[:, None], rois, 0).unbind(1)
    return Regions(image.long(), known, torch.stack((x1, x2)), torch.stack((y1, y2)))


def round_away(x: Tensor) -> Tensor:
    """To the nearest whole number, halves away from zero, as C's round; torch's goes to even."""
    whole = x.trunc()
    return whole + (2 * (x - whole)).trunc()


def step_of(side: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """The side of a region (R,) in equal parts: how long one is (R, 1), and 0 to bins - 1 (bins,).

    The divisor is a tensor: by a number some devices multiply with its inverse, which rounds
    otherwise.
    """
    step = side / torch.full_like(side, bins)
    return step[:, None], torch.arange(bins, dtype=side.dtype, device=side.device)


def bins_within(start: Tensor, stop: Tensor, size: int) -> Bins:
    """Bins by whole numbers, cut off at the plane, which has `size` elements along the axis."""
    first = start.clamp(0, size).long()
    return Bins(first, torch.maximum(stop.clamp(0, size).long(), first))


def require_regions(layer: Layer, features: Shape, rois: Shape) -> None:
    """Raise LayerError unless there are planes of features and five numbers a region."""
    if len(features) != 4:
        raise layer.error(
            "the features must have 4 axes, (num, channels, height, width); "
            f"their shape is {features}"
        )
    if rois[1:2] != (5,) or any(side != 1 for side in rois[2:]):
        raise layer.error(
            "the regions must have shape (R, 5), each with the index of its image, x1, y1, x2 and "
            f"y2; their shape is {rois}"
        )


def require_known_regions(layer: Layer, rois: Tensor, images: int) -> None:
    """Raise LayerError, naming the first, where a region is of no image or not finite."""
    wrong = (~read_regions(rois, images).known).nonzero()
    if len(wrong) == 0:
        return
    index = int(wrong[0])
    given = [f"{number:.9g}" for number in rois[index].flatten().tolist()]
    raise layer.error(
        f"region {index} is of image {given[0]} and has the box ({', '.join(given[1:])}); allowed "
        f"are images 0 to {images - 1} and finite boxes"
    )
