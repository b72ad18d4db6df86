"""How the coordinates of one blob of a NetSpec lie in another, and the crop that aligns them.

A map is (axis, scale a, shift b): what is at x along the spatial axes of one blob is at a x + b in
the other. `axis` is the axis before the first spatial one, None where a layer has none of its own;
a and b are 1 and 0, or arrays of one number a spatial axis, or one for all.
"""

from collections import deque
from collections.abc import Iterator
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from caffepy.errors import NetError
from caffepy.pycaffe.net_spec import Function, Top, layers

Numbers: TypeAlias = NDArray[np.float64]
Map: TypeAlias = tuple[int | None, "float | Numbers", "float | Numbers"]

IDENTITY: Map = (None, 1, 0)
PASS_THROUGH_LAYERS = [
    "AbsVal",
    "BNLL",
    "BatchNorm",
    "Bias",
    "Clip",
    "Dropout",
    "ELU",
    "Eltwise",
    "Exp",
    "LRN",
    "Log",
    "MVN",
    "PReLU",
    "Power",
    "ReLU",
    "Scale",
    "Sigmoid",
    "Split",
    "Swish",
    "TanH",
    "Threshold",
]
ONE_SIDED = ("kernel_h", "kernel_w", "stride_h", "stride_w", "pad_h", "pad_w")


class UndefinedMapException(NetError):  # noqa: N818 - pycaffe's name
    """A layer that moves coordinates in no way that scale and shift could tell."""


class AxisMismatchException(NetError):  # noqa: N818 - pycaffe's name
    """Two maps over spatial axes that do not begin at the same place."""


def conv_params(fn: Function) -> tuple[int, Numbers, Numbers, Numbers]:
    """Of a layer with windows: the axis, stride, extent of the window, dilated, and padding.

    Raises:
        AssertionError: it has a size by axis, such as kernel_h, which cannot be mapped.
        UndefinedMapException: it has no kernel_size.
    """
    params = _settings(fn, "convolution_param", "pooling_param")
    given = [name for name in ONE_SIDED if name in params]
    if given:
        raise AssertionError(
            f"{fn.type_name}: {given[0]} cannot be mapped; give kernel_size, stride and pad, each "
            "one number or a list"
        )
    if "kernel_size" not in params:
        raise UndefinedMapException(f"{fn.type_name} without kernel_size: its window is not known")
    size, dilation = _numbers(params["kernel_size"]), _numbers(params.get("dilation", 1))
    axis = cast("int", params.get("axis", 1))
    stride, pad = _numbers(params.get("stride", 1)), _numbers(params.get("pad", 0))
    return axis, stride, (size - 1) * dilation + 1, pad


def crop_params(fn: Function) -> tuple[int, Numbers]:
    """Of a Crop: the first axis that is cropped, and the offsets."""
    params = _settings(fn, "crop_param")
    return cast("int", params.get("axis", 2)), _numbers(params.get("offset", 0))


def coord_map(fn: Function) -> Map:
    """The map from the bottoms of a layer to its tops.

    Raises:
        UndefinedMapException: the layer's type has none.
    """
    if fn.type_name in ("Convolution", "Pooling", "Im2col"):
        axis, stride, size, pad = conv_params(fn)
        return axis, 1 / stride, (pad - (size - 1) / 2) / stride
    if fn.type_name == "Deconvolution":
        axis, stride, size, pad = conv_params(fn)
        return axis, stride, (size - 1) / 2 - pad
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        return axis - 1, 1, -offset
    if fn.type_name not in PASS_THROUGH_LAYERS:
        raise UndefinedMapException(f"coordinates cannot be followed through {fn.type_name}")
    return IDENTITY


def compose(base_map: Map, next_map: Map) -> Map:
    """The map that applies `next_map` first, then `base_map`.

    Raises:
        AxisMismatchException: their spatial axes differ.
    """
    axis, scale, shift = base_map
    next_axis, next_scale, next_shift = next_map
    if None not in (axis, next_axis) and axis != next_axis:
        raise AxisMismatchException(
            f"spatial axes begin after axis {axis} in one layer and after {next_axis} in another"
        )
    return (
        next_axis if axis is None else axis,
        scale * next_scale,
        scale * next_shift + shift,
    )


def inverse(coord_map: Map) -> Map:
    """The map back."""
    axis, scale, shift = coord_map
    return axis, 1 / scale, -shift / scale


def coord_map_from_to(top_from: Top, top_to: Top) -> Map:
    """The map from one blob to another, by way of a blob that both are made of.

    Raises:
        RuntimeError: there is none, or only through layers whose coordinates cannot be followed.
        AxisMismatchException: the layers on the way disagree on which axes are spatial.
    """
    known = dict(_maps_from_ancestors(top_from))
    for ancestor, to_map in _maps_from_ancestors(top_to):
        if ancestor in known:
            return compose(to_map, inverse(known[ancestor]))
    raise NetError(
        f"no map between the tops of {top_from.fn.type_name} and {top_to.fn.type_name}: they are "
        "not connected by spatial layers"
    )


def crop(top_from: Top, top_to: Top) -> Top:
    """A Crop of one blob to the place and size of another.

    Raises:
        AssertionError: no crop aligns them: scales differ, or an offset is negative or no whole
            number.
        RuntimeError: they are not connected by spatial layers.
    """
    axis, scale, shift = coord_map_from_to(top_from, top_to)
    if not np.all(np.equal(scale, 1)):
        raise AssertionError(f"scale mismatch on crop (a = {scale})")
    if not np.all(np.less_equal(shift, 0)):
        raise AssertionError(f"cannot crop negative offset (b = {shift})")
    if not np.array_equal(np.round(shift), shift):
        raise AssertionError(f"cannot crop noninteger offset (b = {shift})")
    offset = [int(-b) for b in _numbers(shift)]
    # Blobs that no layer with axes of its own lies between: the spatial axes are those of images.
    first = 2 if axis is None else axis + 1
    made: Top = layers.Crop(top_from, top_to, crop_param={"axis": first, "offset": offset})
    return made


def _maps_from_ancestors(top: Top) -> Iterator[tuple[Top, Map]]:
    """Each blob that a blob is made of, itself first, nearer ones before others, and its map."""
    maps = {top: IDENTITY}
    frontier = deque([top])
    while frontier:
        made = frontier.popleft()
        yield made, maps[made]
        try:
            step = coord_map(made.fn)
        except UndefinedMapException:
            continue
        # The second bottom of a Crop says how large it is to be; nothing of it gets through.
        mapped = made.fn.inputs[:1] if made.fn.type_name == "Crop" else made.fn.inputs
        for bottom in mapped:
            if bottom not in maps:
                maps[bottom] = compose(maps[made], step)
                frontier.append(bottom)


def _settings(fn: Function, *messages: str) -> dict[str, object]:
    """A layer's settings, with those that stand in a message by its name."""
    found = dict(fn.params)
    for message in messages:
        found.update(cast("dict[str, object]", fn.params.get(message, {})))
    return found


def _numbers(value: object) -> Numbers:
    return np.array(value, dtype=np.float64, ndmin=1)
