"""What happens to the gradients between the backward pass and the update rule, in Caffe's order."""

import torch
from torch import Tensor


def clip(gradients: list[Tensor], limit: float) -> tuple[float, float] | None:
    """Scale all gradients down, in place, so that their common L2 norm is at most `limit`.

    Returns the norm and the factor limit / norm, or None where the norm was small enough.
    """
    norm = float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))))
    if not norm > limit:
        return None
    torch._foreach_mul_(gradients, limit / norm)
    return norm, limit / norm


def normalise(gradients: list[Tensor], iter_size: int) -> None:
    """Turn sums over `iter_size` batches into means, in place."""
    if iter_size > 1:
        torch._foreach_mul_(gradients, 1 / iter_size)


def add_l1(params: list[Tensor], gradients: list[Tensor], decay: float) -> None:
    """g += decay · sign(w), in place; sign(0) is 0."""
    torch._foreach_add_(gradients, torch._foreach_sign(params), alpha=decay)
