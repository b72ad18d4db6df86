"""InnerProduct: a fully connected layer."""

import math

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.axis import axis_from_front
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("InnerProduct")
class InnerProduct(Layer):
    """Every output sees every input of its item: y = x W^T + b.

    Bottom:  x (*outer, *inner), split at `axis` (1: one item per row of the batch).
    Top:     y (*outer, num_output).
    Blobs:   weight (num_output, K), K = prod(inner), or (K, num_output) where `transpose` is set;
             bias (num_output,) where `bias_term` is set.
    Source:  caffe/src/caffe/layers/inner_product_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        ip = param.inner_product_param
        if ip.num_output < 1:
            text = "num_output is missing or 0, must be at least 1"
            raise self.error(text, "inner_product_param.num_output")
        self.axis = axis_from_front(self, ip.axis, bottom, "inner_product_param.axis")
        self.inner = math.prod(bottom[self.axis :])
        self.transpose = ip.transpose
        shape = (self.inner, ip.num_output) if ip.transpose else (ip.num_output, self.inner)
        self.weight = self.filled(ip.weight_filler, shape, "inner_product_param.weight_filler")
        self.bias = (
            self.filled(ip.bias_filler, (ip.num_output,), "inner_product_param.bias_filler")
            if ip.bias_term
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        items = x.flatten(self.axis)
        if items.shape[-1] != self.inner:
            raise self.error(
                "Input size incompatible with inner product parameters: the bottom's shape "
                f"{tuple(x.shape)} has {items.shape[-1]} numbers from axis {self.axis} on, "
                f"the weights are for {self.inner}"
            )
        return F.linear(items, self.weight.T if self.transpose else self.weight, self.bias)
