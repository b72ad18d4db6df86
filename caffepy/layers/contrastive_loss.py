"""ContrastiveLoss: the loss of siamese nets."""

import math
from typing import cast

import torch
from torch import Tensor

from caffepy.layers.items import require_same_items
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


class _Root(torch.autograd.Function):
    """sqrt(x), with the gradient 1 / (2 (sqrt(x) + 1e-4)), which is finite at 0."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        root = x.sqrt()
        ctx.save_for_backward(root)
        return root

    @staticmethod
    def backward(ctx: torch.autograd.function.BackwardCFunction, gradient: Tensor) -> Tensor:
        (root,) = ctx.saved_tensors
        return gradient / (2 * (root + 1e-4))


@register("ContrastiveLoss")
class ContrastiveLoss(Layer):
    """Like pairs cost their distance squared, others what is missing from `margin`: mean of halves.

    With d = |a - b|, a like pair costs d^2 and another max(0, margin - d)^2, or with
    `legacy_version` max(0, margin - d^2); the loss is the sum over 2N. In the gradient of
    (margin - d)^2, which is 2 (d - margin) (a - b) / d, the divisor is d + 1e-4, so that it is not
    the derivative by a little. A pair at the margin gives no gradient.

    Bottom:  a and b (N, C), or with further axes of length 1; like: N numbers, 0 for pairs that are
             not alike, cut off towards zero before. like gets no gradient, a and b do.
    Top:     loss ().
    Source:  caffe/src/caffe/layers/contrastive_loss_layer.cpp
    """

    def __init__(self, param: LayerParameter, *bottoms: Shape) -> None:
        super().__init__(param)
        self.margin = param.contrastive_loss_param.margin
        self.legacy = param.contrastive_loss_param.legacy_version
        self._require_shapes(*bottoms)

    def check(self, *bottoms: Tensor) -> None:
        like = bottoms[2].detach().flatten()
        if like.numel() and math.isnan(like.min()):
            pair = int(like.isnan().nonzero()[0])
            raise self.error(f"whether pair {pair} is alike is nan; give 0 or 1")

    def forward(self, a: Tensor, b: Tensor, like: Tensor) -> Tensor:
        self._require_shapes(tuple(a.shape), tuple(b.shape), tuple(like.shape))
        difference = a.reshape(len(a), -1) - b.reshape(len(a), -1)
        squared = difference.square().sum(1)
        if self.legacy:
            unlike = (self.margin - squared).relu()
        else:
            unlike = (self.margin - cast("Tensor", _Root.apply(squared))).relu().square()
        alike = like.detach().reshape(-1).trunc() != 0
        return torch.where(alike, squared, unlike).sum() / (2 * len(a))

    def _require_shapes(self, a: Shape, b: Shape, like: Shape) -> None:
        require_same_items(self, a, b, like)
        if math.prod(a[1:2]) != math.prod(b[1:2]) or math.prod((*a[2:], *b[2:])) != 1:
            raise self.error(
                f"the pairs have shapes {a} and {b}; two bottoms (N, C) are needed, further axes "
                "of length 1 are allowed"
            )
        if math.prod(like) != a[0]:
            raise self.error(
                f"bottom 2 of shape {like} has {math.prod(like)} numbers for {a[0]} pairs; one a "
                "pair is needed"
            )
