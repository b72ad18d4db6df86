"""Interp: planes resized by bilinear interpolation."""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


class Factors(NamedTuple):
    """By how much to shrink a side, and then to zoom it."""

    shrink: int
    zoom: int

    def __call__(self, side: int) -> int:
        """The side of the top: the distance between its first and its last element is scaled."""
        return (side - 1) // self.shrink * self.zoom + 1


@register("Interp")
class Interp(Layer):
    """The planes, cut at their edges, resized so that their corners stay corners.

    `pad_beg` and `pad_end`, which are 0 or below, say how much is cut off above and left, below and
    right. Of what may give the size, the first counts: `shrink_factor` alone, `zoom_factor` alone,
    `height` and `width`, both factors.

    Bottom:  x (N, C, H, W), of which h x w are left.
    Top:     y (N, C, height, width), or (N, C, size(h), size(w)), where
             size(n) = floor((n - 1) / shrink_factor) zoom_factor + 1.
    Source:  interp_layer.cpp of Caffe's DeepLab and PSPNet forks; Zhao et al., "Pyramid scene
             parsing network".
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        interp = param.interp_param
        self.pads = interp.pad_beg, interp.pad_end
        for field, pad in zip(("pad_beg", "pad_end"), self.pads, strict=True):
            if pad > 0:
                text = f"{field} is {pad}, must be 0 or below: planes are cut, not padded"
                raise self.error(text, f"interp_param.{field}")
        self.size, self.factors = self._read_size()

    def _read_size(self) -> tuple[Shape | None, Factors]:
        interp = self.param.interp_param
        factors = Factors(interp.shrink_factor, interp.zoom_factor)
        given = [name for name in ("shrink_factor", "zoom_factor") if interp.HasField(name)]
        if len(given) != 1 and interp.HasField("height") and interp.HasField("width"):
            if interp.height < 1 or interp.width < 1:
                text = (
                    f"height and width are {interp.height} and {interp.width}, must be at least 1"
                )
                raise self.error(text, "interp_param.height")
            return (interp.height, interp.width), factors
        if not given:
            text = "no size is given: give zoom_factor, shrink_factor, or both height and width"
            raise self.error(text, "interp_param")
        if min(factors) < 1:
            text = f"shrink_factor and zoom_factor are {factors.shrink} and {factors.zoom}, must be"
            raise self.error(f"{text} at least 1", f"interp_param.{given[0]}")
        return None, factors

    def forward(self, x: Tensor) -> Tensor:
        shape = tuple(x.shape)
        if len(shape) != 4:
            raise self.error(f"the bottom's shape is {shape}, must be (N, C, H, W)")
        rows, columns = (side + sum(self.pads) for side in shape[2:])
        if rows < 1 or columns < 1:
            text = f"pad_beg and pad_end, {self.pads}, leave nothing of a plane of {shape[2:]}"
            raise self.error(text, "interp_param.pad_beg")
        first = -self.pads[0]
        plane = x[:, :, first : first + rows, first : first + columns]
        size = (self.factors(rows), self.factors(columns)) if self.size is None else self.size
        return F.interpolate(plane, size, mode="bilinear", align_corners=True)
