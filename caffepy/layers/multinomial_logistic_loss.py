"""MultinomialLogisticLoss: the loss of a classifier that gives probabilities."""

import math

import torch
from torch import Tensor

from caffepy.layers.clamp import at_least
from caffepy.layers.items import require_same_items
from caffepy.layers.labels import read_labels, require_known_labels, require_one_label_an_item
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter

SMALLEST_PROBABILITY = 1e-20  # what Caffe takes the logarithm of at least


@register("MultinomialLogisticLoss")
class MultinomialLogisticLoss(Layer):
    """Mean over the items of -log max(p[label], 1e-20).

    The gradient is -1 / (N max(p[label], 1e-20)), below 1e-20 too, where the loss is constant. A
    label of no class makes the loss NaN. SoftmaxWithLoss does the same for scores, and holds where
    this one's gradient becomes huge.

    Bottom:  p (N, *), whose numbers in an item are the probabilities of C classes; labels, N whole
             numbers in 0 to C - 1, which get no gradient.
    Top:     loss ().
    Source:  caffe/src/caffe/layers/multinomial_logistic_loss_layer.cpp
    """

    def __init__(self, param: LayerParameter, probabilities: Shape, labels: Shape) -> None:
        super().__init__(param)
        self._require_shapes(probabilities, labels)

    def check(self, *bottoms: Tensor) -> None:
        probabilities, labels = bottoms
        require_known_labels(self, labels, math.prod(probabilities.shape[1:]), None)

    def forward(self, probabilities: Tensor, labels: Tensor) -> Tensor:
        self._require_shapes(tuple(probabilities.shape), tuple(labels.shape))
        flat = probabilities.reshape(len(probabilities), -1)
        found = read_labels(labels.reshape(-1, 1), flat.shape[1], None)
        true = flat.gather(1, found.target).to(torch.promote_types(flat.dtype, torch.float32))
        costs = -at_least(true, SMALLEST_PROBABILITY).log()
        return found.settle(costs).sum() / len(flat)

    def _require_shapes(self, probabilities: Shape, labels: Shape) -> None:
        require_same_items(self, probabilities, labels)
        items = (probabilities[0], math.prod(probabilities[1:]))
        require_one_label_an_item(self, items, labels, axis=1)
