"""The arithmetic of LRN: y = x s^-beta, where s grows with the squares in a region around x."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from caffepy.errors import LayerError

# How many numbers a CPU works on at a time, so that the arrays of one step stay in its cache.
CHUNK = 1 << 18


class Damping(NamedTuple):
    """s = k + rate * the sum of x^2 over a region, y = x s^-beta.

    size: of the region along each of its axes.
    """

    size: int
    rate: float
    beta: float
    k: float

    def power(self, s: Tensor) -> Tensor:
        """s^-beta; for the beta that everybody uses by two square roots, which is much faster."""
        if self.beta != 0.75:
            return s.pow(-self.beta)
        root = s.rsqrt()
        return root * root.sqrt()


def widened(x: Tensor) -> Tensor:
    """x in float32 at least: in float16 the square of 256 is infinite."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def within_channel(x: Tensor, damping: Damping) -> Tensor:
    """y for x (N, C, H, W), the region being a square of pixels; beyond the edges x is 0."""
    wide, size = widened(x), damping.size
    sums = F.avg_pool2d(wide.square(), size, 1, size // 2, divisor_override=1)
    return (wide * damping.power(damping.k + damping.rate * sums)).to(x.dtype)


def across_channels(x: Tensor, damping: Damping) -> Tensor:
    """What `AcrossChannels` computes, as torch's compilers can fuse and export it."""
    wide, pad = widened(x), damping.size // 2
    squares = F.pad(wide.square(), (0, 0, 0, 0, pad, pad))
    sums = squares.narrow(1, 0, x.shape[1])
    for channel in range(1, damping.size):
        sums = sums + squares.narrow(1, channel, x.shape[1])
    return (wide * damping.power(damping.k + damping.rate * sums)).to(x.dtype)


class Context(Protocol):
    """What torch keeps from forward to backward."""

    damping: Damping
    saved_tensors: tuple[Tensor, ...]

    def save_for_backward(self, *tensors: Tensor) -> None:
        """Keep tensors, and notice if they are changed."""


class AcrossChannels(torch.autograd.Function):
    """y for x (N, C, H, W), the region being the channels around each; beyond the last x is 0.

    With g the gradient of y, that of x is g s^-beta - (2 rate beta) x S, S the sum of
    g x s^-beta / s over the region. Both ways take a few passes over what lies in the cache. Of all
    that, x alone is kept, as the layer before keeps it: s is found again sooner than fetched.
    """

    @staticmethod
    def forward(ctx: Context, x: Tensor, damping: Damping) -> Tensor:
        x = _dense(x, x)
        ctx.damping = damping
        ctx.save_for_backward(x)
        y = torch.empty_like(x)
        for window, (values, result) in _chunks(damping.size, x, y):
            wide = widened(values)
            s = window.sums(wide, wide, damping.rate, damping.k)
            torch.mul(wide, damping.power(s), out=result)
        return y

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> tuple[Tensor, None]:
        if torch.is_grad_enabled():
            raise LayerError("LRN has no gradient of its gradient")
        (x,), damping = ctx.saved_tensors, ctx.damping
        factor = 2 * damping.rate * damping.beta
        whole = torch.empty_like(x)
        for window, (values, gradients, result) in _chunks(
            damping.size, x, _dense(gradient, x), whole
        ):
            wide = widened(values)
            s = window.sums(wide, wide, damping.rate, damping.k)
            direct = damping.power(s).mul_(gradients)
            through_s = window.sums(direct, wide / s, factor, 0).mul_(wide)
            torch.sub(direct, through_s, out=result)
        return whole, None


def _dense(tensor: Tensor, like: Tensor) -> Tensor:
    """tensor (N, C, H, W) without gaps, its channels last in memory if those of `like` are."""
    last = like.stride(1) == 1
    return tensor.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)


def _rows(x: Tensor) -> Tensor:
    """x (N, C, H, W) without gaps as (rows, C, inner), in the order of its memory."""
    if x.is_contiguous(memory_format=torch.channels_last):
        return x.permute(0, 2, 3, 1).flatten(0, 2).unsqueeze(2)
    return x.flatten(2)


def _chunks(size: int, *tensors: Tensor) -> Iterator[tuple["Window", tuple[Tensor, ...]]]:
    """The same rows of several tensors (N, C, H, W), some at a time, with a window for them."""
    every = [_rows(tensor) for tensor in tensors]
    rows, channels, inner = every[0].shape
    if every[0].device.type == "cpu":
        rows = max(1, CHUNK // max(1, channels * inner))
    parts = zip(*(torch.split(part, max(1, rows)) for part in every), strict=True)
    window = Window(widened(every[0][:rows]), size)
    for part in parts:
        yield window, part


class Window:
    """Sums over the `size` channels around each, for up to as many rows (C, inner) as `like` has.

    The rows lie one after the other with zeros between them, so that the sums of all are sums of
    shifted copies of the whole.
    """

    def __init__(self, like: Tensor, size: int) -> None:
        rows, self.channels, self.inner = like.shape
        self.size = size
        self.gap = size // 2
        self.step = (self.channels + self.gap) * self.inner
        self.terms = like.new_zeros(rows * self.step + 2 * self.gap * self.inner)
        self.total = like.new_empty(rows * self.step)

    def sums(self, a: Tensor, b: Tensor, rate: float, start: float) -> Tensor:
        """start + rate * the sums of a b, each (rows, C, inner); they last until the next call."""
        length, before = len(a) * self.step, self.gap * self.inner
        torch.mul(a, b, out=self._inside(self.terms[before : before + length]))
        total = self.total[:length]
        torch.add(total.new_tensor(start), self.terms[:length], alpha=rate, out=total)
        for shift in range(self.inner, self.size * self.inner, self.inner):
            total.add_(self.terms[shift : shift + length], alpha=rate)
        return self._inside(total)

    def _inside(self, rows: Tensor) -> Tensor:
        """Without the gaps between rows."""
        return rows.view(-1, self.channels + self.gap, self.inner)[:, : self.channels]
