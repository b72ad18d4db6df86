"""Silence: a reader for blobs that nobody wants."""

from torch import Tensor

from caffepy.layers.layer import Layer, register


@register("Silence")
class Silence(Layer):
    """Takes its bottoms out of the net's outputs and gives them no gradient.

    Bottom:  one or more, of any shapes.
    Top:     none.
    Source:  caffe/src/caffe/layers/silence_layer.cpp
    """

    def forward(self, *_bottoms: Tensor) -> None:
        """Nothing: there is no top."""
