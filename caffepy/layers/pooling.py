"""Pooling: the maximum, the average or a random element of each window."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter, PoolingParameter

LOWEST = torch.finfo(torch.float32).min


class Axis(NamedTuple):
    """How windows lie along one spatial axis, in elements; `windows` counts them."""

    size: int
    kernel: int
    stride: int
    pad: int
    windows: int

    @property
    def last(self) -> int:
        """Where the last window starts, counted from the first."""
        return (self.windows - 1) * self.stride

    @property
    def overhang(self) -> int:
        """How far the last window reaches over the end."""
        return max(self.last + self.kernel - self.pad - self.size, 0)

    @property
    def as_torch(self) -> bool:
        """Whether torch lays the same windows; it lays none behind the end."""
        return self.pad <= self.kernel // 2 and self.last < self.size + self.pad


def lay(size: int, kernel: int, stride: int, pad: int, *, floor: bool, clip: bool) -> Axis:
    """As many windows as fit into `size` and its padding, the last rounded off or up.

    clip: leave out a window that would start behind the end and its padding.
    """
    rest = size + 2 * pad - kernel
    windows = (rest // stride if floor else -(-rest // stride)) + 1
    if clip and (windows - 1) * stride >= size + pad:
        windows -= 1
    return Axis(size, kernel, stride, pad, windows)


class Grid(NamedTuple):
    """The windows over a plane; `ceil` as in torch, for the case that torch lays the same."""

    rows: Axis
    columns: Axis
    ceil: bool

    @property
    def kernel(self) -> tuple[int, int]:
        return self.rows.kernel, self.columns.kernel

    @property
    def stride(self) -> tuple[int, int]:
        return self.rows.stride, self.columns.stride

    @property
    def pad(self) -> tuple[int, int]:
        return self.rows.pad, self.columns.pad

    @property
    def as_torch(self) -> bool:
        return self.rows.as_torch and self.columns.as_torch


def extend(x: Tensor, grid: Grid, value: float) -> Tensor:
    """x (N, C, H, W) with `value` wherever a window reaches over an edge."""
    rows, columns = grid.rows, grid.columns
    edges = (columns.pad, columns.overhang, rows.pad, rows.overhang)
    return F.pad(x, edges, value=max(value, torch.finfo(x.dtype).min))


def max_pool(x: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """The maximum of each window, and its index h W + w; -FLT_MAX and -1 where a window is empty.

    Of equal maxima the first counts. NaN is the maximum of its window.
    """
    if grid.as_torch:
        return F.max_pool2d_with_indices(x, grid.kernel, grid.stride, grid.pad, ceil_mode=grid.ceil)
    extended = extend(x, grid, LOWEST)
    y, place = F.max_pool2d_with_indices(extended, grid.kernel, grid.stride)
    row = place // extended.shape[3] - grid.rows.pad
    column = place % extended.shape[3] - grid.columns.pad
    inside = (row >= 0) & (row < grid.rows.size) & (column >= 0) & (column < grid.columns.size)
    return y, torch.where(inside, row * grid.columns.size + column, -1)


def average_pool(x: Tensor, grid: Grid) -> Tensor:
    """The sum of each window over its size, in which padding counts but not what lies beyond.

    A window behind the end gets Caffe's 0 / size, whose sides are then 0 or negative: NaN, -0, 0.
    """
    if grid.kernel == tuple(x.shape[2:]) and grid.pad == (0, 0):
        return x.mean((2, 3), keepdim=True)  # twice as fast
    if grid.as_torch:
        return F.avg_pool2d(x, grid.kernel, grid.stride, grid.pad, grid.ceil)
    sums = F.avg_pool2d(extend(x, grid, 0), grid.kernel, grid.stride, divisor_override=1)
    return sums / torch.outer(_sides(grid.rows, x.device), _sides(grid.columns, x.device))


def _sides(axis: Axis, device: torch.device) -> Tensor:
    """How many elements each window has along the axis, padding included."""
    start = torch.arange(axis.windows, device=device) * axis.stride - axis.pad
    return (start + axis.kernel).clamp(max=axis.size + axis.pad) - start


def _windows(x: Tensor, grid: Grid) -> Tensor:
    """The elements of each window, (N, C, rows, columns, kernel_h kernel_w); 0 beyond the end."""
    rows = extend(x, grid, 0).unfold(2, grid.rows.kernel, grid.rows.stride)
    return rows.unfold(3, grid.columns.kernel, grid.columns.stride).flatten(4)


def sample_pool(x: Tensor, grid: Grid) -> Tensor:
    """One element of each window, drawn with probability proportional to its value; 0 if all are."""
    windows = _windows(x, grid)
    reached = windows.detach().cumsum(4)
    total = reached[..., -1:]
    drawn = (1 - torch.rand_like(total)) * total
    first = (reached >= drawn).to(torch.uint8).argmax(4, keepdim=True)
    return torch.where(total.isnan(), total, windows.gather(4, first)).squeeze(4)


def expected_pool(x: Tensor, grid: Grid) -> Tensor:
    """What `sample_pool` gives on average, sum x^2 / sum x; 0 where the sum is not above 0."""
    windows = _windows(x, grid)
    total = windows.sum(4)
    nothing = total <= 0
    return windows.square().sum(4).masked_fill(nothing, 0) / total.masked_fill(nothing, 1)


@register("Pooling")
class Pooling(Layer):
    """The maximum, average or a random element of each window of each plane.

    Bottom:  x (N, C, H, W).
    Tops:    y (N, C, PH, PW), PH = round((H + 2 pad - kernel) / stride) + 1, rounded up unless
             `round_mode` is FLOOR, or `ceil_mode`, which forks have for it, is false; with any
             padding, less one if the last window would start behind the plane and its padding.
             Without padding such a window is kept, and empty.
             For MAX also the index h W + w of each maximum in its plane, as a float, -1 where the
             window is empty; it has no gradient.
    STOCHASTIC samples in training and gives the expected value in testing.
    Source:  caffe/src/caffe/layers/pooling_layer.cpp, pooling_layer.cu; Zeiler and Fergus,
             "Stochastic pooling for regularization of deep convolutional neural networks".
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        pool = param.pooling_param
        self.method = pool.pool
        if pool.HasField("ceil_mode") and pool.HasField("round_mode"):
            text = "ceil_mode and round_mode are both set, and say the same: give one of them"
            raise self.error(text, "pooling_param.ceil_mode")
        self.floor = pool.round_mode == PoolingParameter.FLOOR or not pool.ceil_mode
        self.whole = pool.global_pooling
        self.mask = len(param.top) > 1
        self.kernel = self._read("kernel_size", pool.kernel_size, (pool.kernel_h, pool.kernel_w))
        self.stride = self._read("stride", pool.stride, (pool.stride_h, pool.stride_w))
        self.pad = self._read("pad", pool.pad, (pool.pad_h, pool.pad_w))
        self._check_method()
        self._check_window()

    def _read(self, field: str, square: int, sides: tuple[int, int]) -> tuple[int, int]:
        pool = self.param.pooling_param
        stem = field.removesuffix("_size")
        pair = (f"{stem}_h", f"{stem}_w")
        given = [name for name in pair if pool.HasField(name)]
        if not given:
            return square, square
        if pool.HasField(field) or len(given) == 1:
            found = " and ".join([field] * pool.HasField(field) + given)
            text = f"{found} set: give either {field}, or both {' and '.join(pair)}"
            raise self.error(text, f"pooling_param.{given[0]}")
        return sides

    def _check_method(self) -> None:
        name = PoolingParameter.PoolMethod.Name(self.method)
        if self.mask and self.method != PoolingParameter.MAX:
            text = f"a second top is for MAX pooling, the index of each maximum; this is {name}"
            raise self.error(text, "pooling_param.pool")
        if self.method == PoolingParameter.STOCHASTIC and self.pad != (0, 0):
            text = f"pad is {self.pad}, but only MAX and AVE pooling can pad, not {name}"
            raise self.error(text, "pooling_param.pad")

    def _check_window(self) -> None:
        if self.whole:
            if self.kernel != (0, 0) or self.pad != (0, 0) or self.stride != (1, 1):
                text = "global_pooling takes the whole plane: leave out kernel, stride and pad"
                raise self.error(text, "pooling_param.global_pooling")
            return
        if 0 in self.kernel:
            text = f"the kernel is {self.kernel}, must be at least 1: give kernel_size, or both"
            raise self.error(f"{text} kernel_h and kernel_w", "pooling_param.kernel_size")
        if 0 in self.stride:
            text = f"the stride is {self.stride}, must be at least 1"
            raise self.error(text, "pooling_param.stride")
        if any(pad >= kernel for pad, kernel in zip(self.pad, self.kernel, strict=True)):
            text = f"the pad is {self.pad}, must be below the kernel, {self.kernel}"
            raise self.error(text, "pooling_param.pad")

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        grid = self._grid(tuple(x.shape))
        if self.method == PoolingParameter.AVE:
            return average_pool(x, grid)
        if self.method == PoolingParameter.STOCHASTIC:
            return sample_pool(x, grid) if self.training else expected_pool(x, grid)
        y, index = max_pool(x, grid)
        return (y, index.to(torch.promote_types(x.dtype, torch.float32))) if self.mask else y

    def _grid(self, shape: Shape) -> Grid:
        if len(shape) != 4:
            text = "Input must have 4 axes, corresponding to (num, channels, height, width)"
            raise self.error(f"{text}; the bottom's shape is {shape}")
        kernel = (shape[2], shape[3]) if self.whole else self.kernel
        clip = self.pad != (0, 0)
        rows, columns = (
            lay(shape[2 + i], kernel[i], self.stride[i], self.pad[i], floor=self.floor, clip=clip)
            for i in range(2)
        )
        if rows.windows < 1 or columns.windows < 1:
            text = f"a kernel of {kernel} does not fit into a bottom of {shape[2:]}"
            raise self.error(f"{text} padded by {self.pad} on each side", "pooling_param")
        return Grid(rows, columns, not self.floor)
