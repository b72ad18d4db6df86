"""SPP: pooling into a fixed number of bins, whatever the size of the image."""

import torch
from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.layers.pooling import (
    Axis,
    Grid,
    average_pool,
    expected_pool,
    lay,
    max_pool,
    sample_pool,
)
from caffepy.proto import LayerParameter, SPPParameter


@register("SPP")
class SPP(Layer):
    """Spatial pyramid pooling: the planes pooled into 1, 4, 16, ... bins, one level after another.

    Level l cuts each axis, of n elements, into 2^l bins: kernel and stride are ceil(n / 2^l), and
    what the bins have too much is padding, half on each side, rounded up. It must be below the
    kernel, or the bottom is too small, or of the wrong size, for this many levels.

    Bottom:  x (N, C, H, W).
    Top:     y (N, C (1 + 4 + ... + 4^(pyramid_height - 1))): for each level its bins of channel 0,
             row by row, then those of channel 1, ...; for one level alone y (N, C, 1, 1).
    STOCHASTIC samples in training and gives the expected value in testing; it allows no padding.
    Source:  caffe/src/caffe/layers/spp_layer.cpp; He et al., "Spatial pyramid pooling in deep
             convolutional networks for visual recognition".
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        spp = param.spp_param
        self.method = spp.pool
        self.levels = spp.pyramid_height
        if self.levels < 1:
            text = "pyramid_height is missing or 0, must be at least 1"
            raise self.error(text, "spp_param.pyramid_height")

    def forward(self, x: Tensor) -> Tensor:
        shape = tuple(x.shape)
        if len(shape) != 4 or 0 in shape[2:]:
            text = "Input must have 4 axes, corresponding to (num, channels, height, width)"
            raise self.error(f"{text}, and an element or more; the bottom's shape is {shape}")
        grids = [self._grid(shape[2:], level) for level in range(self.levels)]
        bins = [self._pool(x, grid) for grid in grids]
        if len(bins) == 1:
            return bins[0]
        return torch.cat([level.flatten(1) for level in bins], 1)

    def _pool(self, x: Tensor, grid: Grid) -> Tensor:
        if self.method == SPPParameter.MAX:
            return max_pool(x, grid)[0]
        if self.method == SPPParameter.AVE:
            return average_pool(x, grid)
        return sample_pool(x, grid) if self.training else expected_pool(x, grid)

    def _grid(self, plane: Shape, level: int) -> Grid:
        count = 2**level
        kernels = [-(-size // count) for size in plane]
        pads = [
            (kernel * count - size + 1) // 2 for kernel, size in zip(kernels, plane, strict=True)
        ]
        where = f"{count} bins a side over a plane of {plane}, kernel {tuple(kernels)}"
        if any(pad >= kernel for pad, kernel in zip(pads, kernels, strict=True)):
            text = f"{where}, need a pad of {tuple(pads)}, which must be below the kernel"
            raise self.error(text, "spp_param.pyramid_height")
        if any(pads) and self.method == SPPParameter.STOCHASTIC:
            text = f"{where}, need a pad of {tuple(pads)}, but only MAX and AVE pooling can pad"
            raise self.error(text, "spp_param.pool")
        rows, columns = (
            _axis(size, kernel, pad, clip=any(pads))
            for size, kernel, pad in zip(plane, kernels, pads, strict=True)
        )
        return Grid(rows, columns, ceil=True)


def _axis(size: int, kernel: int, pad: int, *, clip: bool) -> Axis:
    return lay(size, kernel, kernel, pad, floor=False, clip=clip)
