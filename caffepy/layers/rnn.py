"""RNN: a plain recurrent network over sequences."""

import torch
import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.layer import Shape, register
from caffepy.layers.recurrent import Recurrent, State
from caffepy.proto import LayerParameter


@register("RNN")
class RNN(Recurrent):
    """o_t = tanh(W_o h_t + b_o), h_t = tanh(W x_t + b + W_static x_static + W_h (cont_t h_{t-1})).

    cont_t is 0 where a sequence begins, which forgets what was before, else 1. h before the first
    step is what the last batch left, zeros at first and where that had another N; with
    `expose_hidden` it is given. cont and h0 get no gradient, and hT gives none.

    Bottom:  x (T, N, *inner), T steps of N streams; cont (T, N); x_static (N, *static), may be left
             out; with expose_hidden h0 (1, N, D), D = num_output.
    Top:     o (T, N, D); with expose_hidden hT (1, N, D).
    Blobs:   W (D, prod(inner)); b (D,); where there is x_static W_static (D, prod(static));
             W_h (D, D); W_o (D, D); b_o (D,). They start at 0 unless a filler is given.
    Source:  caffe/src/caffe/layers/rnn_layer.cpp, recurrent_layer.cpp
    """

    hidden = ("h",)
    gates = 1

    def __init__(self, param: LayerParameter, *bottoms: Shape) -> None:
        super().__init__(param, *bottoms)
        self.output_weight = self._weight(self.size, self.size)
        self.output_bias = self._bias(self.size)

    def unroll(self, inputs: Tensor, cont: Tensor, state: State) -> tuple[Tensor, State]:
        """The steps, one after the other; their outputs all at once."""
        (h,) = state
        weight = self.hidden_weight.t()
        hidden = []
        for input_t, cont_t in zip(inputs.unbind(), cont.unbind(), strict=True):
            h = torch.addmm(input_t, cont_t * h, weight).tanh()
            hidden.append(h)
        outputs = F.linear(torch.stack(hidden), self.output_weight, self.output_bias)
        return outputs.tanh(), (h,)
