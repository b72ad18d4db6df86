"""Convolution: filters slid over the spatial axes."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

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


def require_room(layer: Layer, geometry: Geometry, spatial: Shape) -> None:
    """Raise LayerError where the filter does not fit into the spatial axes and their padding."""
    extent, pad = geometry.extent, geometry.pad
    if any(n + 2 * p < e for n, p, e in zip(spatial, pad, extent, strict=True)):
        text = f"a kernel that reaches over {extent} does not fit into a bottom of {spatial}"
        raise layer.error(f"{text} padded by {pad} on each side", "convolution_param")


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


class Layout(NamedTuple):
    """Where filters lie on a bottom.

    dims: how many axes it has. axis: that of its channels; the axes before it make up the batch,
    those behind it are spatial.
    """

    dims: int
    axis: int
    channels: int
    geometry: Geometry

    def require(self, layer: Layer, *bottoms: Tensor) -> Shape:
        """The spatial axes of the bottoms; LayerError where they do not suit the filters."""
        shapes = [tuple(bottom.shape) for bottom in bottoms]
        if len(set(shapes)) > 1:
            raise layer.error(f"the bottoms must have one shape, they have {shapes}")
        if len(shapes[0]) != self.dims or shapes[0][self.axis] != self.channels:
            raise layer.error(
                "Input size incompatible with convolution kernel: the bottom's shape is "
                f"{shapes[0]}, must have {self.dims} axes with {self.channels} channels on axis "
                f"{self.axis}"
            )
        return shapes[0][self.axis + 1 :]


def read_layout(layer: Layer, bottom: Shape) -> Layout:
    """What `convolution_param` makes of a bottom; LayerError where it does not suit it."""
    conv = layer.param.convolution_param
    axis = axis_from_front(layer, conv.axis, bottom, "convolution_param.axis")
    axes = len(bottom) - axis - 1
    if axes > max(CONVOLVE):
        text = f"{axes} spatial axes follow axis {axis} of {bottom}, at most 3 may"
        raise layer.error(text, "convolution_param.axis")
    return Layout(len(bottom), axis, bottom[axis], read_geometry(layer, axes))


def require_groups(layer: Layer, channels: int) -> None:
    """Raise LayerError unless `group` divides the channels of bottom and top, and there are any."""
    conv = layer.param.convolution_param
    if conv.num_output < 1:
        text = "num_output is missing or 0, must be at least 1"
        raise layer.error(text, "convolution_param.num_output")
    if conv.group < 1 or channels % conv.group or conv.num_output % conv.group:
        text = f"group is {conv.group}, must divide the bottom's {channels} channels"
        raise layer.error(f"{text} and num_output {conv.num_output}", "convolution_param.group")


def fill_filters(
    layer: Layer, shape: Shape, outputs: int
) -> tuple[nn.Parameter, nn.Parameter | None]:
    """The weight, of this shape, and the bias (outputs,), or None without `bias_term`."""
    conv = layer.param.convolution_param
    weight = layer.filled(conv.weight_filler, shape, "convolution_param.weight_filler")
    if not conv.bias_term:
        return weight, None
    return weight, layer.filled(conv.bias_filler, (outputs,), "convolution_param.bias_filler")


def over_items(run: Callable[[Tensor], Tensor], x: Tensor, axis: int) -> Tensor:
    """`run`, which takes one axis of items, over an x that has the `axis` first axes for them."""
    if axis == 1:
        return run(x)
    outer = x.shape[:axis]
    y = run(x.reshape(math.prod(outer), *x.shape[axis:]))
    return y.reshape(*outer, *y.shape[1:])


def over_bottoms(
    run: Callable[[Tensor], Tensor], bottoms: Sequence[Tensor], axis: int
) -> Tensor | tuple[Tensor, ...]:
    """One top a bottom, made by `over_items`."""
    tops = tuple(over_items(run, x, axis) for x in bottoms)
    return tops if len(tops) > 1 else tops[0]


def convolve(
    bottoms: Sequence[Tensor], weight: Tensor, bias: Tensor | None, layout: Layout, group: int
) -> Tensor | tuple[Tensor, ...]:
    """The cross-correlation of each bottom with the filters."""
    kernel, stride, pad, dilation = layout.geometry

    def run(x: Tensor) -> Tensor:
        if not kernel:
            return F.conv1d(x.unsqueeze(-1), weight.unsqueeze(-1), bias, groups=group).squeeze(-1)
        return CONVOLVE[len(kernel)](x, weight, bias, stride, pad, dilation, group)

    return over_bottoms(run, bottoms, layout.axis)


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
        self.layout = read_layout(self, bottoms[0])
        self.group = conv.group
        require_groups(self, self.layout.channels)
        depth = self.layout.channels // conv.group
        shape = (conv.num_output, depth, *self.layout.geometry.kernel)
        self.weight, self.bias = fill_filters(self, shape, conv.num_output)

    def forward(self, *bottoms: Tensor) -> Tensor | tuple[Tensor, ...]:
        spatial = self.layout.require(self, *bottoms)
        require_room(self, self.layout.geometry, spatial)
        return convolve(bottoms, self.weight, self.bias, self.layout, self.group)
