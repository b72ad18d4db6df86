"""LSTM: long short-term memory over sequences."""

import torch
from torch import Tensor

from caffepy.layers.layer import register
from caffepy.layers.lstm_unit import lstm_unit
from caffepy.layers.recurrent import Recurrent, State


@register("LSTM")
class LSTM(Recurrent):
    """h_t = sigmoid(o) tanh(c_t), c_t = cont_t sigmoid(f) c_{t-1} + sigmoid(i) tanh(g).

    (i, f, o, g) = W x_t + b + W_static x_static + W_h (cont_t h_{t-1}), each of D = num_output
    numbers. cont_t is 0 where a sequence begins, which forgets what was before, else 1. The state
    (h, c) before the first step is what the last batch left, zeros at first and where that had
    another N; with `expose_hidden` it is given. cont, h0 and c0 get no gradient, and hT and cT
    give none.

    Bottom:  x (T, N, *inner), T steps of N streams; cont (T, N); x_static (N, *static), may be left
             out; with expose_hidden h0 and c0, (1, N, D) each.
    Top:     h (T, N, D); with expose_hidden hT and cT, (1, N, D) each.
    Blobs:   W (4 D, prod(inner)); b (4 D,); where there is x_static W_static (4 D, prod(static));
             W_h (4 D, D). They start at 0 unless a filler is given.
    Source:  caffe/src/caffe/layers/lstm_layer.cpp, recurrent_layer.cpp; Hochreiter and Schmidhuber,
             "Long short-term memory", with the gates of Zaremba and Sutskever, "Learning to execute"
    """

    hidden = ("h", "c")
    gates = 4

    def unroll(self, inputs: Tensor, cont: Tensor, state: State) -> tuple[Tensor, State]:
        """The steps, one after the other."""
        h, c = state
        weight = self.hidden_weight.t()
        outputs = []
        for input_t, cont_t in zip(inputs.unbind(), cont.unbind(), strict=True):
            gates = torch.addmm(input_t, cont_t * h, weight)
            c, h = lstm_unit(c, gates, cont_t)
            outputs.append(h)
        return torch.stack(outputs), (h, c)
