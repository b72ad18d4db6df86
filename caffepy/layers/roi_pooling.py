"""ROIPooling: Fast R-CNN's maxima over the parts of regions."""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.layers.regions import (
    Bins,
    bins_within,
    read_regions,
    require_known_regions,
    require_regions,
    round_away,
    step_of,
)
from caffepy.proto import LayerParameter

LOADED = 2**19  # numbers looked at together: few enough to stay in the processor's cache


@torch.library.custom_op("caffepy::rectangle_maxima", mutates_args=())
def rectangle_maxima(pixels: Tensor, width: int, rectangles: Tensor) -> tuple[Tensor, Tensor]:
    """The maxima of rectangles, and the pixels where they are.

    pixels: (P, C), images one after the other in rows of `width` pixels. rectangles: int64 (3, M),
    of each its first pixel, its height and its width. Returns the maxima (M, C), and int32 (M, C).
    Of equal maxima the first counts; NaN is the maximum of its rectangle. An empty rectangle has 0,
    one whose first pixel is -1 has NaN; both are at -1.

    The rectangles of one shape are done together. It is an operation of its own, opaque to compile
    and meta tensors, as which shapes there are depends on values.
    """
    corners, heights, widths = rectangles
    maxima = pixels.new_empty(len(corners), pixels.shape[1])
    found = torch.empty_like(maxima, dtype=torch.int32)
    empty = heights * widths == 0
    maxima[empty], found[empty] = 0, -1
    maxima[corners < 0] = torch.nan
    shapes, shape_of = torch.unique(heights * (width + 1) + widths, return_inverse=True)
    groups = shape_of.argsort().split(shape_of.bincount(minlength=1).tolist())
    for shape, group in zip(shapes.tolist(), groups, strict=False):
        h, w = divmod(shape, width + 1)
        if h * w == 0:
            continue
        rows = torch.arange(h, device=pixels.device) * width
        offsets = (rows[:, None] + torch.arange(w, device=pixels.device)).flatten()
        for part in group.split(max(1, LOADED // (h * w * pixels.shape[1]))):
            places = corners[part, None] + offsets
            loaded = pixels.index_select(0, places.flatten()).view(-1, h, w, pixels.shape[1])
            best, first = F.max_pool2d_with_indices(loaded.permute(0, 3, 1, 2), (h, w))
            maxima[part] = best.flatten(1)
            found[part] = places.int().gather(1, first.flatten(1))
    return maxima, found


@rectangle_maxima.register_fake
def _shapes(pixels: Tensor, _width: int, rectangles: Tensor) -> tuple[Tensor, Tensor]:
    maxima = pixels.new_empty(rectangles.shape[1], pixels.shape[1])
    return maxima, torch.empty_like(maxima, dtype=torch.int32)


class _Context(Protocol):
    """What is handed from `_keep` to `_backward`."""

    saved_tensors: tuple[Tensor, ...]
    pixels: torch.Size

    def save_for_backward(self, *tensors: Tensor) -> None:
        """Put what `saved_tensors` gives."""


def _keep(ctx: _Context, inputs: tuple[Tensor, int, Tensor], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(output[1])
    ctx.pixels = inputs[0].shape


def _backward(ctx: _Context, gradient: Tensor, _: None) -> tuple[Tensor, None, None]:
    """The gradient of each maximum, added to that of its pixel."""
    (found,) = ctx.saved_tensors
    gradient = gradient.masked_fill(found < 0, 0)
    start = gradient.new_zeros(ctx.pixels)
    return start.scatter_add(0, found.clamp(min=0).long(), gradient), None, None


rectangle_maxima.register_autograd(_backward, setup_context=_keep)


@register("ROIPooling")
class ROIPooling(Layer):
    """The maximum of each of `pooled_h` x `pooled_w` parts of each region.

    A region's corners, times `spatial_scale`, are rounded to elements, halves away from zero, both
    included; it is at least 1 x 1. It is cut into equal bins, whose edges are rounded outwards, so
    that neighbours may share elements, and cut off at the plane. An empty bin gives 0.

    The gradient goes to the element that is the maximum, the first of equal ones. A region of no
    image, or that is not finite, gives NaN. NaN is the maximum of its bin.

    Bottom:  x (N, C, H, W); regions (R, 5): image, x1, y1, x2, y2. They get no gradient.
    Top:     y (R, C, pooled_h, pooled_w).
    Source:  Girshick, "Fast R-CNN"; caffe-fast-rcnn/src/caffe/layers/roi_pooling_layer.cu
    """

    def __init__(self, param: LayerParameter, features: Shape, rois: Shape) -> None:
        super().__init__(param)
        pool = param.roi_pooling_param
        self.pooled = pool.pooled_h, pool.pooled_w
        self.scale = pool.spatial_scale
        for field, given in zip(("pooled_h", "pooled_w"), self.pooled, strict=True):
            if given == 0:
                text = f"{field} is 0, must be at least 1: regions get pooled_h x pooled_w bins"
                raise self.error(text, f"roi_pooling_param.{field}")
        require_regions(self, features, rois)

    def check(self, *bottoms: Tensor) -> None:
        features, rois = bottoms
        require_known_regions(self, rois, len(features))

    def forward(self, x: Tensor, rois: Tensor) -> Tensor:
        require_regions(self, tuple(x.shape), tuple(rois.shape))
        images, channels, height, width = x.shape
        regions = read_regions(rois, images)
        rows = self._bins(regions.rows, self.pooled[0], height)
        columns = self._bins(regions.columns, self.pooled[1], width)
        first_rows = regions.image[:, None] * height + rows.start
        corners = first_rows[:, :, None] * width + columns.start[:, None]
        known = regions.known[:, None, None]
        heights = rows.counts[:, :, None].where(known, 0).expand_as(corners)
        widths = columns.counts[:, None].expand_as(corners)
        rectangles = torch.stack((corners.where(known, -1), heights, widths)).flatten(1)
        pixels = x.permute(0, 2, 3, 1).reshape(-1, channels)
        y: Tensor = rectangle_maxima(pixels, width, rectangles)[0]
        return y.view(*corners.shape, channels).permute(0, 3, 1, 2)

    def _bins(self, edges: Tensor, count: int, size: int) -> Bins:
        first, last = round_away(edges * self.scale)
        step, place = step_of((last - first + 1).clamp(min=1), count)
        start = (place * step).floor() + first[:, None]
        return bins_within(start, ((place + 1) * step).ceil() + first[:, None], size)
