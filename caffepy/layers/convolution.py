"""Convolution: filters slid over the spatial axes."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.axis import axis_from_front
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


class Geometry(NamedTuple):
    """How a filter is laid over its input: one number for each spatial axis, in elements."""

    kernel: Shape
    stride: Shape
    pad: Shape
    dilation: Shape

    @property
    def extent(self) -> Shape:
        """How far the filter reaches: d (k - 1) + 1."""
        sides = zip(self.kernel, self.dilation, strict=True)
        return tuple(dilation * (kernel - 1) + 1 for kernel, dilation in sides)


def read_geometry(layer: Layer, axes: int) -> Geometry:
    """What the layer's `convolution_param` states for `axes` spatial axes.

    Each number is given once for all axes or once for each; kernel, stride and pad also by their
    `_h` and `_w` fields, for two axes. Raises LayerError where a number is given both ways or in
    another count, and for a 0 anywhere but in a pad.
    """
    conv = layer.param.convolution_param
    kernel = _read(layer, axes, "kernel_size", conv.kernel_size, (conv.kernel_h, conv.kernel_w))
    stride = _read(layer, axes, "stride", conv.stride, (conv.stride_h, conv.stride_w))
    pad = _read(layer, axes, "pad", conv.pad, (conv.pad_h, conv.pad_w))
    dilation = _read(layer, axes, "dilation", conv.dilation, ())
    for name, numbers in (("kernel_size", kernel), ("stride", stride), ("dilation", dilation)):
        if 0 in numbers:
            text = f"{name} is {numbers}, missing or 0 on some axis: must be at least 1"
            raise layer.error(text, f"convolution_param.{name}")
    return Geometry(kernel, stride, pad, dilation)


UNSET = {"kernel_size": 0, "stride": 1, "pad": 0, "dilation": 1}


def _read(layer: Layer, axes: int, field: str, each: Sequence[int], sides: Shape) -> Shape:
    """The numbers of `field`, for each axis; `sides` are those of its `_h` and `_w` fields."""
    stem = field.removesuffix("_size")
    pair = (f"{stem}_h", f"{stem}_w") if sides else ()
    given = [name for name in pair if layer.param.convolution_param.HasField(name)]
    if given:
        both, path = " and ".join(given), f"convolution_param.{given[0]}"
        if each:
            raise layer.error(f"{field} and {both} are both set: give one or the other", path)
        if axes != 2:
            text = f"{both} need 2 spatial axes, the bottom has {axes}: give {field}"
            raise layer.error(text, path)
        return sides
    if len(each) not in {0, 1, axes}:
        text = f"{field} is given {len(each)} times, must be once for all spatial axes or once for"
        raise layer.error(f"{text} each of the {axes}", f"convolution_param.{field}")
    if len(each) < 2:
        return tuple(each or [UNSET[field]]) * axes
    return tuple(each)


CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


@register("Convolution")
class Convolution(Layer):
    """Cross-correlation with filters over a window of the spatial axes, plus a bias.

    Bottoms: x (*outer, C, *spatial), C at `axis`, with up to 3 spatial axes; all of one shape.
    Tops:    y (*outer, num_output, *out), one a bottom; on each spatial axis
             out = floor((in + 2 pad - extent) / stride) + 1, extent = dilation (kernel - 1) + 1.
    Blobs:   weight (num_output, C / group, *kernel); bias (num_output,) where `bias_term` is set.
             Both start at 0 unless a filler is given.
    Source:  caffe/src/caffe/layers/base_conv_layer.cpp, conv_layer.cpp
    """

    def __init__(self, param: LayerParameter, *bottoms: Shape) -> None:
        super().__init__(param, *bottoms)
        conv = param.convolution_param
        self.dims = len(bottoms[0])
        self.axis = axis_from_front(self, conv.axis, bottoms[0], "convolution_param.axis")
        self.channels = bottoms[0][self.axis]
        axes = self.dims - self.axis - 1
        if axes > max(CONVOLVE):
            text = f"{axes} spatial axes follow axis {self.axis} of {bottoms[0]}, at most 3 may"
            raise self.error(text, "convolution_param.axis")
        self.geometry = read_geometry(self, axes)
        self.group = conv.group
        self._check_groups()
        shape = (conv.num_output, self.channels // conv.group, *self.geometry.kernel)
        self.weight = self.filled(conv.weight_filler, shape, "convolution_param.weight_filler")
        self.bias = (
            self.filled(conv.bias_filler, shape[:1], "convolution_param.bias_filler")
            if conv.bias_term
            else None
        )

    def _check_groups(self) -> None:
        outputs = self.param.convolution_param.num_output
        if outputs < 1:
            text = "num_output is missing or 0, must be at least 1"
            raise self.error(text, "convolution_param.num_output")
        if self.group < 1 or self.channels % self.group or outputs % self.group:
            text = f"group is {self.group}, must divide the bottom's {self.channels} channels"
            raise self.error(f"{text} and num_output {outputs}", "convolution_param.group")

    def forward(self, *bottoms: Tensor) -> Tensor | tuple[Tensor, ...]:
        shapes = [tuple(bottom.shape) for bottom in bottoms]
        self._check_input(shapes[0])
        if len(bottoms) == 1:
            return self._convolve(bottoms[0])
        if len(set(shapes)) > 1:
            raise self.error(f"the bottoms must have one shape, they have {shapes}")
        return tuple(map(self._convolve, bottoms))

    def _convolve(self, x: Tensor) -> Tensor:
        if self.axis != 1:
            outer = x.shape[: self.axis]
            y = self._convolve_batch(x.reshape(math.prod(outer), *x.shape[self.axis :]))
            return y.reshape(*outer, *y.shape[1:])
        return self._convolve_batch(x)

    def _convolve_batch(self, x: Tensor) -> Tensor:
        kernel, stride, pad, dilation = self.geometry
        if not kernel:
            x, weight = x.unsqueeze(-1), self.weight.unsqueeze(-1)
            return F.conv1d(x, weight, self.bias, groups=self.group).squeeze(-1)
        convolve = CONVOLVE[len(kernel)]
        return convolve(x, self.weight, self.bias, stride, pad, dilation, self.group)

    def _check_input(self, shape: Shape) -> None:
        if len(shape) != self.dims or shape[self.axis] != self.channels:
            raise self.error(
                f"Input size incompatible with convolution kernel: the bottom's shape is {shape}, "
                f"must have {self.dims} axes with {self.channels} channels on axis {self.axis}"
            )
        extent, pad = self.geometry.extent, self.geometry.pad
        spatial = shape[self.axis + 1 :]
        if any(n + 2 * p < e for n, p, e in zip(spatial, pad, extent, strict=True)):
            text = f"a kernel that reaches over {extent} does not fit into a bottom of {spatial}"
            raise self.error(f"{text} padded by {pad} on each side", "convolution_param")
