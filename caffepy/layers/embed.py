"""Embed: a table of rows, looked up by number."""

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.labels import read_labels
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("Embed")
class Embed(Layer):
    """The row of the weight that each number names: y = W[x] + b.

    It is InnerProduct over one-hot vectors. Fractions are cut off towards zero.

    Bottom:  x, of any shape: whole numbers in 0 to input_dim - 1; they get no gradient.
    Top:     y (*x's shape, num_output).
    Blobs:   weight (input_dim, num_output); bias (num_output,) where `bias_term` is set. Both start
             at 0 unless a filler is given.
    Source:  caffe/src/caffe/layers/embed_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        embed = param.embed_param
        self.rows = embed.input_dim
        shape = (embed.input_dim, embed.num_output)
        for field, number in zip(("input_dim", "num_output"), shape, strict=True):
            if number < 1:
                text = f"{field} is missing or 0, must be at least 1"
                raise self.error(text, f"embed_param.{field}")
        self.weight = self.filled(embed.weight_filler, shape, "embed_param.weight_filler")
        self.bias = (
            self.filled(embed.bias_filler, shape[1:], "embed_param.bias_filler")
            if embed.bias_term
            else None
        )

    def check(self, *bottoms: Tensor) -> None:
        x = bottoms[0] if bottoms[0].dim() else bottoms[0].unsqueeze(0)
        wrong = read_labels(x, self.rows, None).unknown.nonzero()
        if len(wrong) == 0:
            return
        item, *place = wrong[0].tolist()
        where = f"item {item}, place {tuple(place)}" if place else f"item {item}"
        others = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise self.error(
            f"the number of {where} is {x[tuple(wrong[0])].item():.9g}{others}; allowed are 0 to "
            f"{self.rows - 1}: input_dim is {self.rows}",
            "embed_param.input_dim",
        )

    def forward(self, x: Tensor) -> Tensor:
        rows = F.embedding(x.long(), self.weight)
        return rows if self.bias is None else rows + self.bias
