#!/usr/bin/env python3
"""Forward and backward of each layer against the expression anybody would write for it in torch.

usage: layers.py [--only TYPE ...] [--turns 25]

The layer and the expression take turns in one process, on the same bottoms and blobs; images have
their channels last in memory, as the net has them. What they compute is compared first. Prints the
median time of each, and their ratio; a line of more than 1.1 ends in `slower`.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from google.protobuf import text_format
from torch import Tensor

import caffepy.layers  # noqa: F401  registers every type
from caffepy.layers.layer import Layer, as_tuple, build
from caffepy.proto import LayerParameter

IMAGES = (32, 64, 56, 56)
ROWS = (256, 4096)
SCORES = (256, 1000)


class Case(NamedTuple):
    """One line of the table: a layer, its bottoms, and the expression."""

    type: str
    prototxt: str
    bottoms: list[Tensor]
    expression: Callable[..., Any]
    title: str = ""


def numbers(*shape: int) -> Tensor:
    """A bottom of normal numbers that takes a gradient, its channels last where it has 4 axes."""
    x = torch.randn(shape)
    x = x.to(memory_format=torch.channels_last) if x.dim() == 4 else x
    return x.requires_grad_()


def positive(*shape: int) -> Tensor:
    """A bottom of numbers between 0.1 and 1.1 that takes a gradient."""
    return (torch.rand(shape) + 0.1).requires_grad_()


def whole(below: int, *shape: int) -> Tensor:
    """Whole numbers below a bound, as Caffe keeps labels and indices: floats."""
    return torch.randint(below, shape).float()


def neurons() -> Iterator[Case]:
    """Layers that take each number by itself."""
    yield Case("AbsVal", "", [numbers(*IMAGES)], lambda _, x: x.abs())
    yield Case("BNLL", "", [numbers(*IMAGES)], lambda _, x: F.softplus(x, threshold=50))
    clip = "clip_param { min: -1 max: 1 }"
    yield Case("Clip", clip, [numbers(*IMAGES)], lambda _, x: x.clamp(-1, 1))
    yield Case("ELU", "elu_param { alpha: 0.5 }", [numbers(*IMAGES)], lambda _, x: F.elu(x, 0.5))
    yield Case("Exp", "", [numbers(*IMAGES)], lambda _, x: x.exp())
    base = "exp_param { base: 2 scale: 0.5 shift: 1 }"
    yield Case("Exp", base, [numbers(*IMAGES)], lambda _, x: torch.exp2(0.5 * x + 1), "base 2")
    yield Case("Log", "", [positive(*IMAGES)], lambda _, x: x.log())
    base = "log_param { base: 3 scale: 0.5 shift: 1 }"
    yield Case(
        "Log", base, [positive(*IMAGES)], lambda _, x: (0.5 * x + 1).log() / math.log(3), "base 3"
    )
    power = "power_param { power: 2 scale: 0.5 shift: 1 }"
    yield Case("Power", power, [numbers(*IMAGES)], lambda _, x: (0.5 * x + 1) ** 2)
    yield Case("ReLU", "", [numbers(*IMAGES)], lambda _, x: F.relu(x))
    leaky = "relu_param { negative_slope: 0.1 }"
    yield Case("ReLU", leaky, [numbers(*IMAGES)], lambda _, x: F.leaky_relu(x, 0.1), "leaky")
    yield Case("ReLU6", "", [numbers(*IMAGES)], lambda _, x: F.relu6(x))
    yield Case("Sigmoid", "", [numbers(*IMAGES)], lambda _, x: x.sigmoid())
    yield Case("Swish", "", [numbers(*IMAGES)], lambda _, x: F.silu(x))
    yield Case("TanH", "", [numbers(*IMAGES)], lambda _, x: x.tanh())
    threshold = "threshold_param { threshold: 0.5 }"
    yield Case("Threshold", threshold, [numbers(*IMAGES)], lambda _, x: (x > 0.5).float())
    yield Case("PReLU", "", [numbers(*IMAGES)], lambda layer, x: F.prelu(x, only_blob(layer)))


def convolutions() -> Iterator[Case]:
    """Convolution and its kin."""
    size = (
        "convolution_param { num_output: 64 kernel_size: 3 pad: 1 weight_filler { type: 'xavier' } "
    )
    yield Case("Convolution", size + "}", [numbers(*IMAGES)], convolved())
    yield Case("Convolution", size + "group: 4 }", [numbers(*IMAGES)], convolved(4), "group 4")
    yield Case("Convolution", size + "group: 64 }", [numbers(*IMAGES)], convolved(64), "depthwise")
    depthwise = convolved(64)
    yield Case("ConvolutionDepthwise", size + "}", [numbers(*IMAGES)], depthwise)
    yield Case("DepthwiseConvolution", size + "}", [numbers(*IMAGES)], depthwise)
    up = "convolution_param { num_output: 32 kernel_size: 4 stride: 2 pad: 1 weight_filler { type: 'xavier' } }"
    yield Case("Deconvolution", up, [numbers(8, 32, 28, 28)], deconvolved)
    window = "convolution_param { kernel_size: 3 pad: 1 }"
    yield Case("Im2col", window, [numbers(8, 32, 28, 28)], unfolded)
    product = "inner_product_param { num_output: 1000 weight_filler { type: 'xavier' } }"
    yield Case(
        "InnerProduct", product, [numbers(*ROWS)], lambda layer, x: F.linear(x, *blobs(layer))
    )
    embed = "embed_param { num_output: 128 input_dim: 5000 weight_filler { type: 'xavier' } }"
    yield Case("Embed", embed, [whole(5000, 64, 100)], embedded)


def pools() -> Iterator[Case]:
    """Pooling and what normalises."""
    window = "pooling_param { kernel_size: 2 stride: 2 "
    yield Case("Pooling", window + "}", [numbers(*IMAGES)], lambda _, x: F.max_pool2d(x, 2))
    average = window + "pool: AVE }"
    yield Case("Pooling", average, [numbers(*IMAGES)], lambda _, x: F.avg_pool2d(x, 2), "average")
    overlapping = "pooling_param { kernel_size: 3 stride: 2 }"
    yield Case(
        "Pooling",
        overlapping,
        [numbers(*IMAGES)],
        lambda _, x: F.max_pool2d(x, 3, 2, ceil_mode=True),
        "3, 2",
    )
    whole_plane = "pooling_param { global_pooling: true pool: AVE }"
    yield Case(
        "Pooling",
        whole_plane,
        [numbers(*IMAGES)],
        lambda _, x: x.mean((2, 3), keepdim=True),
        "global",
    )
    yield Case("SPP", "spp_param { pyramid_height: 3 }", [numbers(*IMAGES)], pyramid)
    lrn = "lrn_param { local_size: 5 alpha: 1e-4 beta: 0.75 }"
    yield Case(
        "LRN", lrn, [numbers(*IMAGES)], lambda _, x: F.local_response_norm(x, 5, 1e-4, 0.75, 1)
    )
    yield Case(
        "BatchNorm", "", [numbers(*IMAGES)], lambda _, x: F.batch_norm(x, None, None, training=True)
    )
    yield Case("BN", "", [numbers(*IMAGES)], batch_normed)
    yield Case("MVN", "", [numbers(*IMAGES)], standardised)
    norm = "norm_param { across_spatial: false }"
    yield Case(
        "Normalize",
        norm,
        [numbers(*IMAGES)],
        lambda layer, x: F.normalize(x, dim=1) * blobs(layer)[0].view(1, -1, 1, 1),
    )
    bias = "scale_param { bias_term: true }"
    yield Case("Scale", bias, [numbers(*IMAGES)], lambda layer, x: scaled(x, *blobs(layer)))
    yield Case(
        "Bias", "", [numbers(*IMAGES)], lambda layer, x: x + blobs(layer)[0].view(1, -1, 1, 1)
    )
    yield Case(
        "Axpy",
        "",
        [numbers(32, 64, 1, 1), numbers(*IMAGES), numbers(*IMAGES)],
        lambda _, a, x, y: a * x + y,
    )


def shapes() -> Iterator[Case]:
    """Layers that put blobs together, and take them apart."""
    two = [numbers(*IMAGES), numbers(*IMAGES)]
    yield Case("Concat", "", two, lambda _, x, y: torch.cat([x, y], 1))
    yield Case("Eltwise", "", two, lambda _, x, y: x + y, "sum")
    yield Case(
        "Eltwise", "eltwise_param { operation: PROD }", two, lambda _, x, y: x * y, "product"
    )
    yield Case(
        "Eltwise",
        "eltwise_param { operation: MAX }",
        two,
        lambda _, x, y: torch.maximum(x, y),
        "max",
    )
    coefficients = "eltwise_param { coeff: 2 coeff: -1 }"
    yield Case("Eltwise", coefficients, two, lambda _, x, y: 2 * x - y, "coefficients")
    yield Case("Slice", "top: 'a' top: 'b'", [numbers(*IMAGES)], lambda _, x: x.chunk(2, 1))
    yield Case(
        "Split", "top: 'a' top: 'b'", [numbers(*IMAGES)], lambda _, x: (x.view_as(x), x.view_as(x))
    )


def rearrangements() -> Iterator[Case]:
    """Layers that take parts of a blob, or order it anew."""
    crop = "crop_param { axis: 2 offset: 4 }"
    yield Case(
        "Crop",
        crop,
        [numbers(*IMAGES), torch.zeros(32, 64, 48, 48)],
        lambda _, x, _y: x[:, :, 4:52, 4:52],
    )
    yield Case("Flatten", "", [numbers(*IMAGES)], lambda _, x: x.flatten(1))
    yield Case(
        "Reshape",
        "reshape_param { shape { dim: 0 dim: -1 } }",
        [numbers(*IMAGES)],
        lambda _, x: x.reshape(32, -1),
    )
    order = "permute_param { order: 0 order: 2 order: 3 order: 1 }"
    yield Case("Permute", order, [numbers(*IMAGES)], lambda _, x: x.permute(0, 2, 3, 1))
    mean = "reduction_param { operation: MEAN axis: 1 }"
    yield Case("Reduction", mean, [numbers(*IMAGES)], lambda _, x: x.mean((1, 2, 3)))
    yield Case(
        "Tile", "tile_param { axis: 1 tiles: 3 }", [numbers(*ROWS)], lambda _, x: x.repeat(1, 3)
    )
    yield Case(
        "ShuffleChannel",
        "shuffle_channel_param { group: 4 }",
        [numbers(*IMAGES)],
        lambda _, x: F.channel_shuffle(x, 4),
    )
    yield Case(
        "Interp", "interp_param { height: 80 width: 80 }", [numbers(8, 32, 40, 40)], interpolated
    )
    yield Case("BatchReindex", "", [numbers(*IMAGES), whole(32, 48)], lambda _, x, i: x[i.long()])
    yield Case(
        "ArgMax",
        "argmax_param { axis: 1 }",
        [numbers(*SCORES)],
        lambda _, x: x.argmax(1, keepdim=True).float(),
    )
    top = "argmax_param { axis: 1 top_k: 5 }"
    yield Case("ArgMax", top, [numbers(*SCORES)], lambda _, x: x.topk(5, 1)[1].float(), "top 5")
    yield Case("Dropout", "", [numbers(*IMAGES)], lambda _, x: F.dropout(x, 0.5))


def losses() -> Iterator[Case]:
    """Losses and metrics."""
    labels = whole(1000, 256)
    yield Case("Softmax", "", [numbers(*SCORES)], lambda _, x: x.softmax(1))
    yield Case(
        "SoftmaxWithLoss",
        "",
        [numbers(*SCORES), labels],
        lambda _, x, y: F.cross_entropy(x, y.long()),
    )
    pixels = [numbers(8, 21, 64, 64), whole(21, 8, 64, 64)]
    yield Case(
        "SoftmaxWithLoss", "", pixels, lambda _, x, y: F.cross_entropy(x, y.long()), "of pixels"
    )
    rows = torch.rand(256, 1000).softmax(1).requires_grad_()
    yield Case(
        "MultinomialLogisticLoss", "", [rows, labels], lambda _, x, y: F.nll_loss(x.log(), y.long())
    )
    matrix = torch.rand(1, 1, 1000, 1000)
    yield Case("InfogainLoss", "", [numbers(*SCORES), labels, matrix], infogain)
    yield Case(
        "EuclideanLoss",
        "",
        [numbers(*ROWS), numbers(*ROWS)],
        lambda _, x, y: (x - y).square().sum() / 512,
    )
    yield Case(
        "L1Loss", "", [numbers(*ROWS), numbers(*ROWS)], lambda _, x, y: (x - y).abs().sum() / 256
    )
    smooth = [numbers(*ROWS), numbers(*ROWS)]
    yield Case(
        "SmoothL1Loss", "", smooth, lambda _, x, y: F.smooth_l1_loss(x, y, reduction="sum") / 256
    )
    bits = [numbers(*ROWS), whole(2, *ROWS)]
    yield Case(
        "SigmoidCrossEntropyLoss",
        "",
        bits,
        lambda _, x, y: F.binary_cross_entropy_with_logits(x, y, reduction="sum") / 256,
    )
    yield Case("HingeLoss", "", [numbers(*SCORES), labels], hinge)
    pairs = [numbers(*ROWS), numbers(*ROWS), whole(2, 256)]
    yield Case("ContrastiveLoss", "", pairs, contrastive)
    yield Case(
        "Accuracy",
        "",
        [torch.randn(SCORES), labels],
        lambda _, x, y: (x.argmax(1) == y).float().mean(),
    )


def recurrent() -> Iterator[Case]:
    """Layers that run over time, against torch's."""
    sequence = [numbers(20, 32, 128), torch.cat([torch.zeros(1, 32), torch.ones(19, 32)])]
    text = (
        "recurrent_param { num_output: 128 weight_filler { type: 'uniform' min: -0.1 max: 0.1 } }"
    )
    yield Case("LSTM", text, sequence, lstm())


def only_blob(layer: Layer) -> Tensor:
    """The blob of a layer that has one."""
    (blob,) = layer.parameters()
    return blob


def blobs(layer: Layer) -> list[Tensor]:
    """The blobs of a layer."""
    return list(layer.parameters())


def convolved(groups: int = 1) -> Callable[..., Tensor]:
    """torch's convolution of 3x3 windows with the layer's blobs."""
    return lambda layer, x: F.conv2d(x, *blobs(layer), padding=1, groups=groups)


def deconvolved(layer: Layer, x: Tensor) -> Tensor:
    """torch's transposed convolution."""
    return F.conv_transpose2d(x, *blobs(layer), stride=2, padding=1)


def unfolded(_: Layer, x: Tensor) -> Tensor:
    """torch's unfold, laid out as Caffe's."""
    return F.unfold(x, 3, padding=1).reshape(8, -1, 28, 28)


def embedded(layer: Layer, x: Tensor) -> Tensor:
    """torch's embedding; Caffe's has a bias."""
    weight, bias = blobs(layer)
    return F.embedding(x.long(), weight) + bias


def pyramid(_: Layer, x: Tensor) -> Tensor:
    """Maxima of the whole plane, its quarters and its sixteenths."""
    parts = [F.max_pool2d(x, 56 >> level, 56 >> level).flatten(1) for level in range(3)]
    return torch.cat(parts, 1)


def batch_normed(layer: Layer, x: Tensor) -> Tensor:
    """torch's batch normalisation with scale and shift."""
    scale, shift = (blob.flatten() for blob in blobs(layer)[:2])
    return F.batch_norm(x, None, None, scale, shift, training=True, eps=1e-5)


def standardised(_: Layer, x: Tensor) -> Tensor:
    """Each plane less its mean, over its deviation."""
    mean = x.mean((2, 3), keepdim=True)
    deviation = (x - mean).square().mean((2, 3), keepdim=True).sqrt()
    return (x - mean) / (deviation + 1e-9)


def scaled(x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Channels times a factor, plus another number."""
    return x * scale.view(1, -1, 1, 1) + bias.view(1, -1, 1, 1)


def interpolated(_: Layer, x: Tensor) -> Tensor:
    """torch's bilinear interpolation from corner to corner."""
    return F.interpolate(x, (80, 80), mode="bilinear", align_corners=True)


def infogain(_: Layer, x: Tensor, labels: Tensor, matrix: Tensor) -> Tensor:
    """Minus the sum of H[label] log p."""
    return -(matrix[0, 0][labels.long()] * x.log_softmax(1)).sum() / 256


def hinge(_: Layer, x: Tensor, labels: Tensor) -> Tensor:
    """The sum of max(0, 1 - x) of the true class and max(0, 1 + x) of the others."""
    sign = torch.ones_like(x).scatter(1, labels.long().unsqueeze(1), -1)
    return F.relu(1 + sign * x).sum() / 256


def contrastive(_: Layer, x: Tensor, y: Tensor, same: Tensor) -> Tensor:
    """Half the squared distance of pairs that belong together; how far others are too near."""
    squares = (x - y).square().sum(1)
    apart = F.relu(1 - squares.sqrt()).square()
    return (same * squares + (1 - same) * apart).sum() / 512


def lstm() -> Callable[..., Tensor]:
    """Steps of torch's cell, begun anew where cont is 0; its numbers are of its own weights."""
    cell = torch.nn.LSTMCell(128, 128)

    def run(_: Layer, x: Tensor, cont: Tensor) -> Tensor:
        h = c = torch.zeros(x.shape[1], 128)
        tops = []
        for step, goes_on in zip(x, cont.unsqueeze(-1), strict=True):
            h, c = cell(step, (h * goes_on, c * goes_on))
            tops.append(h)
        return torch.stack(tops)

    return run


def once(run: Callable[[], Any], learned: Iterable[Tensor]) -> float:
    """How long one forward and backward take, in ms."""
    start = time.perf_counter()
    backward(run())
    elapsed = (time.perf_counter() - start) * 1e3
    for tensor in learned:
        tensor.grad = None
    return elapsed


def backward(tops: Any) -> None:  # noqa: ANN401  one tensor or several
    """The backward pass of all tops that have one, their diffs being those of a sum."""
    made = [top for top in as_tuple(tops) if top.requires_grad]
    torch.autograd.backward(made, [torch.ones(()).expand_as(top) for top in made])


def compare(case: Case, turns: int) -> tuple[float, float]:
    """The median times of a layer and of its expression, in ms."""
    text = f'name: "layer" type: "{case.type}" {case.prototxt}'
    if "top:" not in case.prototxt:
        text += ' top: "top"'
    text += "".join(f' bottom: "{index}"' for index in range(len(case.bottoms)))
    param = text_format.Parse(text, LayerParameter())
    layer = build(param, *(tuple(bottom.shape) for bottom in case.bottoms)).train()
    learned = [*case.bottoms, *layer.parameters()]

    def run() -> Any:  # noqa: ANN401  one tensor or several
        layer.check(*case.bottoms)
        return layer(*case.bottoms)

    def expression() -> Any:  # noqa: ANN401
        return case.expression(layer, *case.bottoms)

    if case.type not in ("Dropout", "LSTM"):  # which draw, or fill their own blobs
        for ours, theirs in zip(as_tuple(run()), as_tuple(expression()), strict=True):
            torch.testing.assert_close(ours, theirs.reshape(ours.shape), rtol=1e-3, atol=1e-4)
    runs = (run, expression)
    times = [[once(each, learned) for each in runs] for _ in range(turns + 3)][3:]
    ours, theirs = (sorted(column)[turns // 2] for column in zip(*times, strict=True))
    return ours, theirs


GROUPS = (neurons, convolutions, pools, shapes, rearrangements, losses, recurrent)


def main() -> None:
    """Take turns for each layer, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", metavar="TYPE")
    parser.add_argument("--turns", type=int, default=25)
    args = parser.parse_args()
    torch.manual_seed(1)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{'layer':38}{'ms':>9}{'torch':>9}{'ratio':>7}")
    for group in GROUPS:
        for case in group():
            if args.only and case.type not in args.only:
                continue
            ours, theirs = compare(case, args.turns)
            ratio = ours / theirs
            mark = "  slower" if ratio > 1.1 else ""
            print(
                f"{case.type + ' ' + case.title:38}{ours:9.3f}{theirs:9.3f}{ratio:7.2f}{mark}",
                flush=True,
            )


if __name__ == "__main__":
    main()
