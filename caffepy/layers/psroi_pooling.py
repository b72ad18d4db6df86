"""PSROIPooling: R-FCN's averages over the parts of regions, each part from channels of its own."""

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

SMALLEST = 0.1  # side of a region, in elements


def sums_before(x: Tensor) -> Tensor:
    """The sum of what lies above and to the left of each corner: (..., H, W) to (..., H+1, W+1).

    In double, so that a difference of two large sums is as exact as the sum of a few numbers.
    """
    return F.pad(x.double().cumsum(-1).cumsum(-2), (1, 0, 1, 0))


@register("PSROIPooling")
class PSROIPooling(Layer):
    """The average of each of G x G parts of each region, G = `group_size`, each by its own channels.

    The region's box is rounded to pixels, halves away from zero, the last ones included, then
    multiplied with `spatial_scale`; its sides are at least 0.1. It is cut into equal bins, whose
    edges are rounded outwards to elements, and cut off at the plane. Bin (i, j) of channel d of the
    top averages channel (d G + i) G + j of the bottom. An empty bin gives 0. A region of no image,
    or that is not finite, gives NaN.

    Bottom:  x (N, D G G, H, W), D = `output_dim`; regions (R, 5): image, x1, y1, x2, y2. They get
             no gradient.
    Top:     y (R, D, G, G).
    Source:  Dai et al., "R-FCN"; caffe-rfcn/src/caffe/layers/psroi_pooling_layer.cu
    """

    def __init__(self, param: LayerParameter, features: Shape, rois: Shape) -> None:
        super().__init__(param)
        pool = param.psroi_pooling_param
        self.outputs, self.group = pool.output_dim, pool.group_size
        self.scale = pool.spatial_scale
        for field, given in (
            ("output_dim", self.outputs),
            ("group_size", self.group),
            ("spatial_scale", self.scale),
        ):
            if given <= 0:
                text = f"{field} is {given}, must be above 0"
                raise self.error(text, f"psroi_pooling_param.{field}")
        self._require_shapes(features, rois)

    def check(self, *bottoms: Tensor) -> None:
        features, rois = bottoms
        require_known_regions(self, rois, len(features))

    def forward(self, x: Tensor, rois: Tensor) -> Tensor:
        self._require_shapes(tuple(x.shape), tuple(rois.shape))
        images, _, height, width = x.shape
        regions = read_regions(rois, images)
        rows, columns = self._bins(regions.rows, height), self._bins(regions.columns, width)
        groups = (self.outputs, self.group, self.group)
        sums = sums_before(x.reshape(images, *groups, height, width))
        sums = sums.permute(0, 2, 3, 4, 5, 1)  # indexed but for the last, the channel of the top
        bins = torch.arange(self.group, device=x.device)
        edges = (
            torch.stack(rows)[:, None, :, :, None],
            torch.stack(columns)[None, :, :, None, :],
        )
        (a, b), (c, d) = sums[(regions.image[:, None, None], bins[:, None], bins, *edges)]
        counts = rows.counts[:, :, None] * columns.counts[:, None]
        y = (d - c - b + a) / counts.clamp(min=1)[..., None]
        y = torch.where(regions.known[:, None, None, None], y, torch.nan)
        return y.permute(0, 3, 1, 2).to(x.dtype)

    def _bins(self, edges: Tensor, size: int) -> Bins:
        low, high = round_away(edges)
        start = low * self.scale
        step, place = step_of(((high + 1) * self.scale - start).clamp(min=SMALLEST), self.group)
        start = start[:, None]
        return bins_within(
            (place * step + start).floor(), ((place + 1) * step + start).ceil(), size
        )

    def _require_shapes(self, features: Shape, rois: Shape) -> None:
        require_regions(self, features, rois)
        channels = self.outputs * self.group**2
        if features[1] != channels:
            raise self.error(
                f"the features have {features[1]} channels, must be {channels}: output_dim "
                f"{self.outputs} times group_size {self.group} squared",
                "psroi_pooling_param",
            )
