"""What LSTM and RNN have in common: their bottoms, and a state that goes from step to step."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.layer import Layer, Shape
from caffepy.proto import LayerParameter

State = tuple[Tensor, ...]


class Recurrent(Layer):
    """Steps over time with the same weights, each of which reads the input and the step before.

    Of the input, all steps are multiplied by the weights at once. Without `expose_hidden` the last
    state is kept for the next batch; gradients end where a batch begins.

    hidden: what a state consists of, the names of the buffers that keep it. gates: how many times
    `num_output` numbers of the input go into a step.
    Source:  caffe/src/caffe/layers/recurrent_layer.cpp; every `debug_info` means the same
    """

    hidden: ClassVar[tuple[str, ...]]
    gates: ClassVar[int]

    def __init__(self, param: LayerParameter, *bottoms: Shape) -> None:
        super().__init__(param, *bottoms)
        recurrent = param.recurrent_param
        if recurrent.num_output < 1:
            text = "num_output is missing or 0, must be at least 1"
            raise self.error(text, "recurrent_param.num_output")
        self.size = recurrent.num_output
        self.exposed = self.hidden if recurrent.expose_hidden else ()
        self._check_counts(len(bottoms))
        self.static = len(bottoms) > 2 + len(self.exposed)
        self.inputs = [math.prod(shape[axis:]) for shape, axis in self._inputs(bottoms)]
        self._check_shapes(bottoms)
        rows = self.gates * self.size
        self.weight = self._weight(rows, self.inputs[0])
        self.bias = self._bias(rows)
        self.static_weight = self._weight(rows, self.inputs[1]) if self.static else None
        self.hidden_weight = self._weight(rows, self.size)
        for name in () if self.exposed else self.hidden:
            self.register_buffer(name, torch.zeros(1, bottoms[0][1], self.size))

    def unroll(self, inputs: Tensor, cont: Tensor, state: State) -> tuple[Tensor, State]:
        """Every step's output (T, N, D), and the last state.

        inputs: (T, N, gates * D), what each step gets; cont: (T, N, 1), by which the state before a
        step is multiplied; state: before the first step, (N, D) each.
        """
        raise NotImplementedError

    def forward(self, *bottoms: Tensor) -> Tensor | tuple[Tensor, ...]:
        self._check_shapes([tuple(bottom.shape) for bottom in bottoms])
        inputs = F.linear(bottoms[0].flatten(2), self.weight, self.bias)
        if self.static_weight is not None:
            inputs = inputs + F.linear(bottoms[2].flatten(1), self.static_weight)
        before = bottoms[-len(self.exposed) :] if self.exposed else self._kept(inputs)
        state = tuple(part.detach().squeeze(0) for part in before)
        top, state = self.unroll(inputs, bottoms[1].detach().unsqueeze(-1), state)
        after = tuple(part.detach().unsqueeze(0) for part in state)
        if self.exposed:
            return (top, *after)
        for name, part in zip(self.hidden, after, strict=True):
            setattr(self, name, part)
        return top

    def _kept(self, inputs: Tensor) -> State:
        """The state that the last batch left; zeros where that had another number of streams."""
        kept = tuple(map(self.get_buffer, self.hidden))
        streams = inputs.shape[1]
        if kept[0].shape[1] == streams:
            return kept
        return tuple(inputs.new_zeros(1, streams, self.size) for _ in kept)

    def _weight(self, rows: int, columns: int) -> torch.nn.Parameter:
        filler = self.param.recurrent_param.weight_filler
        return self.filled(filler, (rows, columns), "recurrent_param.weight_filler")

    def _bias(self, count: int) -> torch.nn.Parameter:
        filler = self.param.recurrent_param.bias_filler
        return self.filled(filler, (count,), "recurrent_param.bias_filler")

    def _check_counts(self, bottoms: int) -> None:
        """Refuse bottoms and tops that are too many or too few for `expose_hidden`."""
        exposed = [f"{name}0" for name in self.exposed], [f"{name}T" for name in self.exposed]
        least = 2 + len(self.exposed)
        if bottoms not in (least, least + 1):
            names = " ".join(["x, cont, [x_static]", *exposed[0]])
            text = f"has {bottoms} bottoms, must have {least} or {least + 1}: {names}"
            raise self.error(text, "recurrent_param.expose_hidden")
        tops = len(self.param.top)
        if tops and tops != least - 1:
            names = " ".join(["h", *exposed[1]])
            text = f"has {tops} tops, must have {least - 1}: {names}"
            raise self.error(text, "recurrent_param.expose_hidden")

    def _inputs(self, bottoms: Sequence[Shape]) -> list[tuple[Shape, int]]:
        """The bottoms that weights read, and from which axis on."""
        return [(bottoms[0], 2), *([(bottoms[2], 1)] if self.static else [])]

    def _check_shapes(self, bottoms: Sequence[Shape]) -> None:
        x = bottoms[0]
        if len(x) < 3 or not x[0]:
            text = "must be (time steps, streams, numbers, ...), with 1 step or more"
            raise self.error(f"bottom 0 has shape {x}, {text}")
        if bottoms[1] != x[:2]:
            text = f"must be {x[:2]}: the time steps and streams of bottom 0"
            raise self.error(f"bottom 1, cont, has shape {bottoms[1]}, {text}")
        if self.static and (len(bottoms[2]) < 2 or bottoms[2][0] != x[1]):
            text = f"must be ({x[1]}, numbers, ...): the streams of bottom 0"
            raise self.error(f"bottom 2, x_static, has shape {bottoms[2]}, {text}")
        for (shape, axis), count in zip(self._inputs(bottoms), self.inputs, strict=True):
            if math.prod(shape[axis:]) != count:
                text = f"has {math.prod(shape[axis:])} numbers from axis {axis} on"
                raise self.error(f"a bottom of shape {shape} {text}, the weights are for {count}")
        state = (1, x[1], self.size)
        first = len(bottoms) - len(self.exposed)
        for index, (name, shape) in enumerate(zip(self.exposed, bottoms[first:], strict=True)):
            if shape != state:
                text = f"bottom {first + index}, {name}0, has shape {shape}, must be {state}"
                raise self.error(f"{text}: (1, streams, num_output)")
