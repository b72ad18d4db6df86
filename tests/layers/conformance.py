"""What every layer must do, and how a test makes one: see docs/adding-a-layer.md."""

import itertools
import math
from collections.abc import Sequence

import torch
from google.protobuf import text_format
from torch import Tensor

from caffepy.layers.layer import Layer, Shape, as_tuple, build
from caffepy.proto import LayerParameter


def make_layer(prototxt: str, *bottoms: Shape, training: bool = False) -> Layer:
    """The layer that a prototxt's `layer { ... }` describes, without the braces, in double.

    Its fillers, and what is drawn after it was made, are the same in every run.
    """
    torch.manual_seed(0)
    param = text_format.Parse(prototxt, LayerParameter())
    return build(param, *bottoms).double().train(training)


def random_bottoms(*shapes: Shape) -> tuple[Tensor, ...]:
    """Bottoms in double that take gradients.

    All their values lie in (-2, 2), evenly spaced and shuffled: no two are equal and none is zero,
    so that the small steps of gradcheck meet no tie and no kink.
    """
    counts = [math.prod(shape) for shape in shapes]
    total = sum(counts)
    order = torch.randperm(total, generator=torch.Generator().manual_seed(0))
    values = (order.double() + 0.25 - total / 2) * (4 / total)
    return tuple(
        part.reshape(shape).clone().requires_grad_()
        for part, shape in zip(torch.split(values, counts), shapes, strict=True)
    )


def check_layer(
    layer: Layer, bottoms: Sequence[Tensor], *, tops: Sequence[Shape], blobs: Sequence[Shape] = ()
) -> None:
    """Assert the shapes of blobs and tops, and the gradients of bottoms and learned blobs."""
    assert [tuple(blob.shape) for blob in layer.parameters()] == list(blobs)
    assert layer.top_shapes(*(tuple(bottom.shape) for bottom in bottoms)) == list(tops)
    assert [tuple(top.shape) for top in as_tuple(layer(*bottoms))] == list(tops)

    learned = {name: blob for name, blob in layer.named_parameters() if blob.requires_grad}

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        torch.manual_seed(0)  # the same random numbers in each of gradcheck's many calls
        given = iter(tensors)
        inputs = tuple(itertools.islice(given, len(bottoms)))
        state = dict(zip(learned, given, strict=True))
        return as_tuple(torch.func.functional_call(layer, state, inputs))

    inputs = (*bottoms, *(blob.detach().clone().requires_grad_() for blob in learned.values()))
    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)
