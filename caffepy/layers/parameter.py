"""Parameter: a learned blob as a top."""

import torch
from torch import Tensor, nn

from caffepy.layers.layer import Layer, register
from caffepy.proto import LayerParameter


@register("Parameter")
class Parameter(Layer):
    """What it has learned, for other layers to read.

    Top:     y, of `shape`.
    Blobs:   the top, which starts at 0.
    Source:  caffe/include/caffe/layers/parameter_layer.hpp; with iter_size, Caffe counts the
             gradient of the last pass only, here they add up as those of any blob.
    """

    def __init__(self, param: LayerParameter) -> None:
        super().__init__(param)
        shape = tuple(param.parameter_param.shape.dim)
        if any(size < 0 for size in shape):
            raise self.error(f"shape {shape} has a negative size", "parameter_param.shape")
        self.blob = nn.Parameter(torch.zeros(shape))

    def forward(self) -> Tensor:
        return self.blob.clone()  # what is written over the top later leaves the blob alone
