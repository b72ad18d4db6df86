"""What happens to the gradients between the backward pass and the update rule, in Caffe's order."""

import torch
from torch import Tensor

CHUNK = 1 << 16  # numbers at a time on a CPU: few enough to stay in its cache


def scale_down(gradients: list[Tensor], limit: float, iter_size: int) -> tuple[float, float] | None:
    """Clip sums over `iter_size` batches to the common L2 norm `limit`, and make means of them.

    In place, and in one pass; a negative limit clips nothing. Returns the norm and the factor limit
    / norm where it clipped, else None.
    """
    clipped = _clipping(gradients, limit) if limit >= 0 else None
    scale = (clipped[1] if clipped else 1.0) / iter_size
    if scale != 1:
        torch._foreach_mul_(gradients, scale)
    return clipped


def _clipping(gradients: list[Tensor], limit: float) -> tuple[float, float] | None:
    norm = float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))))
    return (norm, limit / norm) if norm > limit else None


def add_l1(params: list[Tensor], gradients: list[Tensor], decay: float) -> None:
    """g += decay · sign(w), in place; sign(0) is 0."""
    for param, gradient in zip(params, gradients, strict=True):
        size = CHUNK if param.device.type == "cpu" else param.numel()
        pairs = zip(*(torch.split(x.view(-1), size) for x in (param, gradient)), strict=True)
        for w, g in pairs:
            g.add_(w.sign(), alpha=decay)
