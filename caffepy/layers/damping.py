"""The arithmetic of LRN: y = x s^-beta, where s grows with the squares in a region around x."""

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from caffepy.errors import LayerError

# How many numbers each core works on at a time: the arrays of one step stay in the cache, and yet
# the cores of a busy machine do not wait for each other too often.
CHUNK = 1 << 20


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
        parts = _parts(x, y)
        squares = Window(parts[0][0], damping.size, damping.k / damping.size)
        for values, result in parts:
            wide = widened(values)
            s = squares.sums(wide, wide, damping.rate)
            torch.mul(wide, damping.power(s), out=result)
        return y

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> tuple[Tensor, None]:
        if torch.is_grad_enabled():
            raise LayerError("LRN has no gradient of its gradient")
        (x,), damping = ctx.saved_tensors, ctx.damping
        whole = torch.empty_like(x)
        parts = _parts(x, _dense(gradient, x), whole)
        squares = Window(parts[0][0], damping.size, damping.k / damping.size)
        products = Window(parts[0][0], damping.size, 0)
        for values, gradients, result in parts:
            wide = widened(values)
            s = squares.sums(wide, wide, damping.rate)
            direct = damping.power(s).mul_(gradients)
            ratio = s.reciprocal_().mul_(wide)
            through_s = products.sums(direct, ratio, 2 * damping.rate * damping.beta).mul_(wide)
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


def _parts(*tensors: Tensor) -> list[tuple[Tensor, ...]]:
    """Tensors (N, C, H, W) as rows, a few at a time: of all of them the same ones."""
    every = [_rows(tensor) for tensor in tensors]
    count, channels, inner = every[0].shape
    if every[0].device.type == "cpu":
        count = CHUNK * torch.get_num_threads() // max(1, channels * inner)
    return list(zip(*(torch.split(rows, max(1, count)) for rows in every), strict=True))


class Window:
    """Sums over the `size` channels around each, for up to as many rows (C, inner) as `like` has.

    The rows lie one after the other with gaps between them, so that the sums of all are sums of
    shifted copies of the whole. A number in a gap, beyond the first or last channel, is `start`.
    """

    def __init__(self, like: Tensor, size: int, start: float) -> None:
        rows, self.channels, self.inner = like.shape
        self.size = size
        self.gap = size // 2
        self.row = (self.channels + self.gap) * self.inner
        dtype = torch.promote_types(like.dtype, torch.float32)
        self.start = like.new_tensor(start, dtype=dtype)
        self.terms = self.start.repeat(rows * self.row + 2 * self.gap * self.inner)

    def sums(self, a: Tensor, b: Tensor, rate: float) -> Tensor:
        """The sums of start + rate a b, (rows, C, inner) each; they may be changed."""
        edge, length = self.gap * self.inner, len(a) * self.row
        within = self._without_gaps(self.terms[edge : edge + length])
        torch.addcmul(self.start, a, b, value=rate, out=within)
        every = self.terms[: edge + length + edge]
        return self._without_gaps(sliding_sum(every, self.size, self.inner))

    def _without_gaps(self, rows: Tensor) -> Tensor:
        return rows.view(-1, self.channels + self.gap, self.inner)[:, : self.channels]


def sliding_sum(terms: Tensor, count: int, step: int) -> Tensor:
    """Each number of terms (n,) plus the count - 1 that follow it by `step` each, where all do."""
    if count == 1:
        return terms
    half = sliding_sum(terms, count // 2, step)
    skip = count // 2 * step
    total = half[:-skip] + half[skip:]
    return total[:-step].add_(terms[(count - 1) * step :]) if count % 2 else total
