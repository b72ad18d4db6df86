"""`caffepy time`: how long each layer of a net takes."""

import argparse
import logging
import time
from collections.abc import Iterable
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from caffepy.cli.data_workers import add_data_workers
from caffepy.cli.device import add_gpu
from caffepy.cli.flags import UsageError, comma_list
from caffepy.cli.model import build_model
from caffepy.cli.pool_norm import add_pool_norm_order
from caffepy.cli.state import add_state
from caffepy.proto import TEST, TRAIN

if TYPE_CHECKING:
    from caffepy.net.timing import Stopwatch

log = logging.getLogger(__name__)

EXAMPLES = """\
example:
  caffepy time -model train_val.prototxt -iterations 10
  caffepy time -model deploy.prototxt -phase TEST -gpu 0

Layer by layer and a batch an iteration: batches of the net's data, or zeros where its inputs are
Input layers. The last lines are the means over all iterations, in milliseconds.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `caffe time`, and --weights."""
    parser.epilog = EXAMPLES
    parser.add_argument("--model", metavar="FILE", help="the net's prototxt")
    parser.add_argument(
        "--weights",
        type=comma_list,
        default=[],
        metavar="FILE,...",
        help="its .caffemodel files (default: what the fillers draw)",
    )
    parser.add_argument(
        "--iterations", type=int, default=50, metavar="N", help="how many batches (default: 50)"
    )
    parser.add_argument(
        "--phase", choices=("TRAIN", "TEST"), default="TRAIN", help="of the net (default: TRAIN)"
    )
    add_gpu(parser)
    add_state(parser)
    add_pool_norm_order(parser)
    add_data_workers(parser)


def run(args: argparse.Namespace) -> int:
    """Build the net, and measure it."""
    if not args.model:
        raise UsageError("Need a model definition to time.\n-model FILE names it")
    if args.iterations < 1:
        raise UsageError(f"--iterations is {args.iterations}, and must be at least 1")
    phase = TRAIN if args.phase == "TRAIN" else TEST
    net = build_model(args, phase)

    from caffepy.net.timing import Stopwatch

    measure(Stopwatch(net), net.layer_names, args.iterations)
    return 0


def measure(watch: "Stopwatch", names: list[str], iterations: int) -> None:
    """Log how long forward and backward take, by layer and together, after one run to warm up."""
    from caffepy.solver.report import number

    log.info("Performing Forward")
    watch.forward()
    log.info("Initial loss: %s", number(float(watch.loss)))
    log.info("Performing Backward")
    watch.backward()
    log.info("*** Benchmark begins ***")
    log.info("Testing for %d iterations.", iterations)
    runs = []
    for index in range(1, iterations + 1):
        runs.append(run_once(watch))
        log.info("Iteration: %d forward-backward time: %s ms.", index, ms([runs[-1].both]))
    report(names, runs)
    log.info("*** Benchmark ends ***")


class Run(NamedTuple):
    """The seconds that one iteration took: by layer, and in all."""

    forward_layers: list[float]
    backward_layers: list[float]
    forward: float
    backward: float

    @property
    def both(self) -> float:
        """Of forward and backward together."""
        return self.forward + self.backward


def run_once(watch: "Stopwatch") -> Run:
    """One forward and one backward."""
    start = time.perf_counter()
    forward = watch.forward()
    middle = time.perf_counter()
    backward = watch.backward()
    return Run(forward, backward, middle - start, time.perf_counter() - middle)


def report(names: list[str], runs: list[Run]) -> None:
    """Log the means over all iterations."""
    log.info("Average time per layer: ")
    for index, name in enumerate(names):
        log.info("%10s\tforward: %s ms.", name, ms(run.forward_layers[index] for run in runs))
        log.info("%10s\tbackward: %s ms.", name, ms(run.backward_layers[index] for run in runs))
    log.info("Average Forward pass: %s ms.", ms(run.forward for run in runs))
    log.info("Average Backward pass: %s ms.", ms(run.backward for run in runs))
    log.info("Average Forward-Backward: %s ms.", ms(run.both for run in runs))
    log.info("Total Time: %s ms.", ms([sum(run.both for run in runs)]))


def ms(seconds: Iterable[float]) -> str:
    """The mean of some times, in milliseconds."""
    from caffepy.solver.report import number

    return number(1000 * fmean(seconds))
