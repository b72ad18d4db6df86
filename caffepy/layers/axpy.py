"""Axpy: a scaled bottom plus another."""

from torch import Tensor

from caffepy.layers.layer import Layer, register


@register("Axpy")
class Axpy(Layer):
    """out = a x + y, with one a for each channel of each item.

    Bottoms: a (N, C), or (N, C, 1, 1) with as many axes of size 1 as there may be;
             x (N, C, *rest); y, of x's shape.
    Top:     out, of x's shape.
    Source:  axpy_layer.cpp of SENet's Caffe; Hu et al., "Squeeze-and-excitation networks".
    """

    def forward(self, a: Tensor, x: Tensor, y: Tensor) -> Tensor:
        if x.shape != y.shape:
            text = f"the second and third bottom have shapes {tuple(x.shape)} and {tuple(y.shape)}"
            raise self.error(f"{text}, must have the same")
        outer = tuple(x.shape[:2])
        if len(outer) < 2 or tuple(a.shape) != (*outer, *(1,) * (a.dim() - 2)):
            text = f"the first bottom's shape is {tuple(a.shape)}, must be {outer} and maybe axes"
            raise self.error(f"{text} of size 1: a number for each channel of {tuple(x.shape)}")
        return x * a.reshape(*outer, *(1,) * (x.dim() - 2)) + y
