"""`caffepy train`: run a solver."""

import argparse
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from caffepy.cli.data_workers import add_data_workers
from caffepy.cli.device import add_gpu, choose_device
from caffepy.cli.flags import UsageError, comma_list
from caffepy.cli.pool_norm import add_pool_norm_order
from caffepy.cli.signals import add_effects, signals
from caffepy.cli.state import add_state
from caffepy.cli.tensorboard import check_tensorboard, scalars
from caffepy.cli.weights import log_start
from caffepy.graph.solver_nets import SolverFile, read_solver
from caffepy.proto import SolverParameter

if TYPE_CHECKING:
    from caffepy.solver.solver import Solver

log = logging.getLogger(__name__)

EXAMPLES = """\
example:
  caffepy train -solver solver.prototxt
  caffepy train -solver solver.prototxt -weights lenet.caffemodel
  caffepy train -solver solver.prototxt -snapshot lenet_iter_500.solverstate
  caffepy train -solver solver.prototxt --resume auto

Paths inside the prototxts count from the current folder. Ctrl-C writes a snapshot and stops;
a second Ctrl-C stops at once.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `caffe train`."""
    parser.epilog = EXAMPLES
    parser.add_argument("--solver", metavar="FILE", help="the solver's prototxt")
    parser.add_argument(
        "--snapshot", metavar="FILE", help="go on from this .solverstate or .solverstate.h5"
    )
    parser.add_argument(
        "--resume",
        choices=["auto"],
        help="go on from the newest valid snapshot of the solver's prefix; where there is none, "
        "start as without it, from -weights if they are given",
    )
    parser.add_argument(
        "--weights",
        type=comma_list,
        default=[],
        metavar="FILE,...",
        help="start from these .caffemodel or .h5 files, by layer name",
    )
    parser.add_argument(
        "--tensorboard", metavar="DIR", help="write losses, outputs and learning rates there too"
    )
    add_gpu(parser)
    add_state(parser, "train net")
    add_pool_norm_order(parser)
    add_data_workers(parser)
    parser.add_argument(
        "--profile",
        action="store_true",
        help="print at the end how long iterations took, and how much of it they waited for data",
    )
    parser.add_argument(
        "--on-nan",
        choices=("stop", "continue"),
        default="stop",
        help="when the loss is nan or infinite: stop with an error that names the layer (default), "
        "or train on, as Caffe does",
    )
    add_effects(parser)


def run(args: argparse.Namespace) -> int:
    """Train to max_iter, or until a signal says stop."""
    check_flags(args)
    file = read_solver(args.solver, args.pool_norm_order)
    device = choose_device(args.gpu or gpu_of(file.param))
    if args.tensorboard:
        check_tensorboard()

    from caffepy.cli.progress import progress
    from caffepy.net.build import build_net
    from caffepy.pycaffe import install
    from caffepy.solver.setup import weight_files
    from caffepy.solver.solver import Solver

    install()
    solver = Solver(
        file,
        weights=args.weights or None,
        snapshot=args.snapshot or None,
        resume=args.resume is not None,
        device=device,
        level=args.level,
        stages=args.stage,
        on_nan=args.on_nan,
        build=partial(build_net, workers=args.data_workers),
    )
    show(file, solver)
    log_start(solver.net, weight_files(args.weights or file.param.weights), solver.copied)
    log.info("Starting Optimization")
    with (
        profiled(solver, args.profile),
        signals(solver, args),
        progress(solver),
        scalars(solver, args.tensorboard),
    ):
        solver.solve()
    log.info("Optimization Done.")
    return 0


def check_flags(args: argparse.Namespace) -> None:
    """Raise UsageError for flags that leave out the solver or contradict each other."""
    if not args.solver:
        raise UsageError("Need a solver definition to train.\n-solver FILE names it")
    if args.snapshot and args.weights:
        raise UsageError("-snapshot brings its own weights; give it or -weights, but not both")
    if args.snapshot and args.resume:
        raise UsageError("--resume auto finds the snapshot; give it or -snapshot, but not both")


def gpu_of(param: SolverParameter) -> list[str]:
    """The device that a solver asks for: only a solver_mode in the file itself counts."""
    if param.HasField("solver_mode") and param.solver_mode == SolverParameter.GPU:
        return [str(param.device_id)]
    return []


def show(file: SolverFile, solver: "Solver") -> None:
    """Log what the files' authors should know before training starts, each thing once."""
    nets = [solver.net, *solver.test_nets]
    problems = [*file.problems, *(problem for net in nets for problem in net.graph.problems)]
    for problem in dict.fromkeys(problems):
        log.warning("%s", problem)


@contextmanager
def profiled(solver: "Solver", wanted: bool) -> Iterator[None]:
    """Print at the end of a training, where that is wanted, what its time went into."""
    from caffepy.solver.profile import Profile

    if wanted:
        solver.profile = Profile(solver.net)
    yield
    if solver.profile is not None:
        print("\n".join(solver.profile.table()))
