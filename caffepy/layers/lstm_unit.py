"""LSTMUnit: one step of an LSTM, from its gates on."""

from typing import cast

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter

# dy to dx where y = sigmoid(x), or tanh(x): dy y (1 - y), or dy (1 - y y).
sigmoid_backward = torch.ops.aten.sigmoid_backward.default
tanh_backward = torch.ops.aten.tanh_backward.default


class _Context(FunctionCtx):
    """What forward leaves for backward."""

    saved_tensors: tuple[Tensor, ...]


class _Unit(torch.autograd.Function):
    """Writing out the gradient takes fewer passes over memory, and is where Caffe's f is kept."""

    @staticmethod
    def forward(ctx: _Context, c_prev: Tensor, x: Tensor, cont: Tensor) -> tuple[Tensor, Tensor]:
        size = c_prev.shape[-1]
        gates = x[..., : 3 * size].sigmoid()
        gates[..., size : 2 * size].masked_fill_(cont == 0, 0).mul_(cont)
        i, f, o = gates.chunk(3, -1)
        g = x[..., 3 * size :].tanh()
        c = torch.addcmul(f * c_prev, i, g)
        tanh_c = c.tanh()
        ctx.save_for_backward(c_prev, gates, g, tanh_c)
        return c, o * tanh_c

    @staticmethod
    @once_differentiable
    def backward(ctx: _Context, dc: Tensor, dh: Tensor) -> tuple[Tensor, Tensor, None]:
        c_prev, gates, g, tanh_c = ctx.saved_tensors
        i, f, o = gates.chunk(3, -1)
        dc = dc + tanh_backward(dh * o, tanh_c)
        dgates = torch.cat((dc * g, dc * c_prev, dh * tanh_c), -1)
        dx = torch.cat((sigmoid_backward(dgates, gates), tanh_backward(dc * i, g)), -1)
        return dc * f, dx, None


def lstm_unit(c_prev: Tensor, x: Tensor, cont: Tensor) -> tuple[Tensor, Tensor]:
    """The cell and the output of one step.

    c = cont sigmoid(f) c_prev + sigmoid(i) tanh(g), h = sigmoid(o) tanh(c), with x = (i, f, o, g).
    c_prev: (*, D); x: (*, 4 D); cont: (*, 1), which gets no gradient. Returns c and h, (*, D).
    """
    return cast("tuple[Tensor, Tensor]", _Unit.apply(c_prev, x, cont))


@register("LSTMUnit")
class LSTMUnit(Layer):
    """c = cont sigmoid(f) c_prev + sigmoid(i) tanh(g), h = sigmoid(o) tanh(c).

    Of a step that begins a sequence cont is 0, else 1, and gets no gradient. Between the two, f has
    the gradient F (1 - F), F = cont sigmoid(f), as Caffe has it on the CPU; the derivative would be
    F (1 - sigmoid(f)). Gradients of gradients are refused.

    Bottom:  c_prev (1, N, D); x (1, N, 4 D), the gates i, f, o and g one after the other;
             cont (1, N).
    Top:     c (1, N, D); h (1, N, D).
    Source:  caffe/src/caffe/layers/lstm_unit_layer.cpp
    """

    def __init__(self, param: LayerParameter, *bottoms: Shape) -> None:
        super().__init__(param, *bottoms)
        self._require_shapes(*bottoms)

    def forward(self, c_prev: Tensor, x: Tensor, cont: Tensor) -> tuple[Tensor, Tensor]:
        self._require_shapes(tuple(c_prev.shape), tuple(x.shape), tuple(cont.shape))
        return lstm_unit(c_prev, x, cont.unsqueeze(-1))

    def _require_shapes(self, c_prev: Shape, x: Shape, cont: Shape) -> None:
        if len(c_prev) != 3 or c_prev[0] != 1:
            raise self.error(f"c_prev has shape {c_prev}, must be (1, streams, numbers)")
        _, streams, size = c_prev
        for name, shape, must in (
            ("x", x, (1, streams, 4 * size)),
            ("cont", cont, (1, streams)),
        ):
            if shape != must:
                raise self.error(f"{name} has shape {shape}, must be {must} for c_prev {c_prev}")
