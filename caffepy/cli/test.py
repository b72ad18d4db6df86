"""`caffepy test`: score a net."""

import argparse
import logging
from typing import TYPE_CHECKING

from caffepy.cli.data_workers import add_data_workers
from caffepy.cli.device import add_gpu
from caffepy.cli.flags import UsageError, comma_list
from caffepy.cli.model import build_model
from caffepy.cli.pool_norm import add_pool_norm_order
from caffepy.cli.state import add_state
from caffepy.proto import TEST

if TYPE_CHECKING:
    from caffepy.net.net import Net

log = logging.getLogger(__name__)

EXAMPLES = """\
example:
  caffepy test -model train_val.prototxt -weights lenet.caffemodel -iterations 100

Every iteration is one batch of the net's TEST data; the last lines are the means over all.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `caffe test`."""
    parser.epilog = EXAMPLES
    parser.add_argument("--model", metavar="FILE", help="the net's prototxt")
    parser.add_argument(
        "--weights",
        type=comma_list,
        default=[],
        metavar="FILE,...",
        help="its .caffemodel or .h5 files",
    )
    parser.add_argument(
        "--iterations", type=int, default=50, metavar="N", help="how many batches (default: 50)"
    )
    add_gpu(parser)
    add_state(parser)
    add_pool_norm_order(parser)
    add_data_workers(parser)
    parser.add_argument(
        "--ten-crop",
        action="store_true",
        help="average the predictions for ten crops of each image: corners, centre, all mirrored; "
        "the net's memory grows tenfold",
    )


def run(args: argparse.Namespace) -> int:
    """Build the net in phase TEST, load its weights, score it."""
    if not args.model:
        raise UsageError("Need a model definition to score.\n-model FILE names it")
    if not args.weights:
        raise UsageError("Need model weights to score.\n-weights FILE names them")
    if args.iterations < 1:
        raise UsageError(f"--iterations is {args.iterations}, and must be at least 1")

    score(build_model(args, TEST, args.ten_crop), args.iterations)
    return 0


def score(net: "Net", iterations: int) -> None:
    """Log every number of every output, batch by batch, and then their means."""
    from caffepy.net.debug import debugging
    from caffepy.solver.report import elements, number, result

    log.info("Running for %d iterations.", iterations)
    total = 0.0
    sums: list[float] = []
    for index in range(iterations):
        with debugging(net, on=net.graph.debug_info):
            total += float(net.evaluate())
        batch = elements(net.outputs, net.tops)
        for name, value in batch:
            log.info("Batch %d, %s = %s", index, name, number(value))
        sums = [value + (sums[i] if sums else 0) for i, (_, value) in enumerate(batch)]
    log.info("Loss: %s", number(total / iterations))
    for (name, _), sum_ in zip(batch, sums, strict=True):
        log.info("%s", result(name, sum_ / iterations, net.loss_weights))
