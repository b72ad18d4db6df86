"""Im2col: the windows of a convolution, written out."""

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.axis import axis_from_front
from caffepy.layers.convolution import Geometry, over_items, read_geometry, require_room
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("Im2col")
class Im2col(Layer):
    """The elements of each window, zeros where it lies over an edge, along the axis of the channels.

    Bottom:  x (*outer, C, *spatial), C at `axis`, with one spatial axis or more.
    Top:     y (*outer, C prod(kernel), *out), out as for Convolution: all places of the kernel for
             channel 0, row by row, then all for channel 1, ...
    Source:  caffe/src/caffe/layers/im2col_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        conv = param.convolution_param
        self.dims = len(bottom)
        self.axis = axis_from_front(self, conv.axis, bottom, "convolution_param.axis")
        axes = self.dims - self.axis - 1
        if axes < 1:
            text = f"no spatial axis follows axis {self.axis} of {bottom}, at least 1 must"
            raise self.error(text, "convolution_param.axis")
        self.geometry = read_geometry(self, axes)

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != self.dims:
            text = f"the bottom's shape is {tuple(x.shape)}, must have {self.dims} axes"
            raise self.error(text)
        require_room(self, self.geometry, tuple(x.shape[self.axis + 1 :]))
        unroll = unroll_planes if len(self.geometry.kernel) < 3 else unroll_volumes
        return over_items(lambda items: unroll(items, self.geometry), x, self.axis)


def unroll_planes(x: Tensor, geometry: Geometry) -> Tensor:
    """x (N, C, W) or (N, C, H, W), by torch's own function, which knows planes only."""
    kernel, stride, pad, dilation = geometry
    size = [
        (n + 2 * p - extent) // s + 1
        for n, p, extent, s in zip(x.shape[2:], pad, geometry.extent, stride, strict=True)
    ]
    if len(kernel) == 1:
        x, one = x.unsqueeze(2), (1,)
        kernel, stride, pad, dilation = one + kernel, one + stride, (0, *pad), one + dilation
    y = F.unfold(x, kernel, dilation, pad, stride)
    return y.reshape(*y.shape[:2], *size)


def unroll_volumes(x: Tensor, geometry: Geometry) -> Tensor:
    """x (N, C, *spatial), with any number of spatial axes, as views that overlap, copied."""
    windows = F.pad(x.contiguous(), [edge for pad in geometry.pad[::-1] for edge in (pad, pad)])
    axes = len(geometry.kernel)
    for axis, (extent, stride) in enumerate(zip(geometry.extent, geometry.stride, strict=True)):
        windows = windows.unfold(2 + axis, extent, stride)
    for axis, dilation in enumerate(geometry.dilation, 2 + axes):
        if dilation > 1:
            windows = windows[(slice(None),) * axis + (slice(None, None, dilation),)]
    taps = tuple(range(2 + axes, 2 + 2 * axes))
    return windows.movedim(taps, tuple(range(2, 2 + axes))).flatten(1, 1 + axes)
