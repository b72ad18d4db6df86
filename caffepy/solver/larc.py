"""LARC: a learning rate for each blob, by how large its weights are beside their gradient."""

import torch
from torch import Tensor


def trust(weights: Tensor, gradient: Tensor, eta: float) -> float:
    """eta · |w| / |g|, with L2 norms; 1 where either is 0.

    gradient: clipped and averaged, before weight decay.
    Source: NVCaffe's caffe/src/caffe/solvers/sgd_solver.cpp; You, Gitman and Ginsburg, "Large batch
    training of convolutional networks" (2017).
    """
    norms = torch.stack([torch.linalg.vector_norm(weights), torch.linalg.vector_norm(gradient)])
    w, g = norms.tolist()
    return float(eta * w / g) if w and g else 1.0
