"""Weights of classes, by which losses count the items of each class more or less."""

import math

import torch
from torch import Tensor

from caffepy.layers.layer import Layer

FIELD = "loss_param.class_weight"


def class_weight_of(layer: Layer) -> Tensor | None:
    """The layer's class_weight, one number a class; None where it is not given.

    Raises LayerError for a weight that is negative or not finite.
    """
    weights = list(layer.param.loss_param.class_weight)
    for index, weight in enumerate(weights):
        if not (math.isfinite(weight) and weight >= 0):
            raise layer.error(
                f"class_weight of class {index} is {weight:g}; 0 or more is allowed", FIELD
            )
    return torch.tensor(weights) if weights else None


def require_one_weight_a_class(layer: Layer, weights: Tensor | None, classes: int) -> None:
    """Raise LayerError where weights are given, but not one for each class."""
    if weights is not None and len(weights) != classes:
        raise layer.error(
            f"{len(weights)} class_weights are given for {classes} classes; give one a class, or "
            "none",
            FIELD,
        )
