"""`caffepy train_parallel`: a solver in each of several processes, as Caffe's python/train.py."""

import argparse
import logging
from typing import TYPE_CHECKING, NamedTuple

from caffepy.cli.device import find_devices
from caffepy.cli.flags import UsageError
from caffepy.cli.heap import keep_freed_memory
from caffepy.cli.log import logging_to_stderr
from caffepy.errors import CaffeError
from caffepy.graph.solver_nets import check_together, read_solver

if TYPE_CHECKING:
    from caffepy import pycaffe
    from caffepy.pycaffe.solver import Solver

log = logging.getLogger(__name__)

EPILOG = """\
example:
  caffepy train_parallel --solver solver.prototxt --gpus 0 1
  caffepy train_parallel --solver solver.prototxt --cpus 2

Each process reads its own share of the records, batch_size at a time; all make the same updates,
by the mean of their gradients, so that two processes are one with twice the batch. The first one
tests, displays and snapshots. --solver, --snapshot, --gpus and --timing are those of Caffe's
python/train.py.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of Caffe's script."""
    parser.epilog = EPILOG
    parser.add_argument("--solver", metavar="FILE", required=True, help="the solver's prototxt")
    parser.add_argument("--snapshot", metavar="FILE", help="go on from this .solverstate")
    parser.add_argument(
        "--gpus", nargs="+", default=["0"], metavar="ID", help="a process on each (default: 0)"
    )
    parser.add_argument("--cpus", type=int, metavar="N", help="N processes on the CPU, no GPUs")
    parser.add_argument(
        "--timing", action="store_true", help="log how long passes and the mean take, at displays"
    )


class Job(NamedTuple):
    """What all processes are told: the files, where they run, and where they meet."""

    solver: str
    snapshot: str | None
    gpus: list[int]  # by process; none on the CPU
    processes: int
    uid: bytes
    timing: bool


def run(args: argparse.Namespace) -> int:
    """Start the processes, and wait for all; where one fails the others are stopped."""
    if args.cpus is not None and args.cpus < 1:
        raise UsageError(f"--cpus is {args.cpus}; it takes 1 or more")
    file = read_solver(args.solver)  # what is wrong with it is said once
    gpus = [] if args.cpus else find_devices(args.gpus)
    count = args.cpus or len(gpus)
    if count > 1:
        check_together(file)

    from torch.multiprocessing.spawn import ProcessExitedException, spawn

    from caffepy.pycaffe import NCCL

    job = Job(args.solver, args.snapshot, gpus, count, NCCL.new_uid(), args.timing)
    log.info("Using %s", f"GPUs {', '.join(map(str, gpus))}" if gpus else f"{count} processes")
    try:
        spawn(work, (job,), nprocs=count)  # type: ignore[no-untyped-call]
    except ProcessExitedException as error:
        raise CaffeError(f"process {error.error_index} of {count} failed: {error}") from error
    return 0


def work(rank: int, job: Job) -> None:
    """Train in the process of this rank; exits with 1, having said why, where that fails."""
    try:
        if rank:
            _train(rank, job)
        else:
            with logging_to_stderr():
                _train(rank, job)
    except CaffeError as error:
        raise SystemExit(f"caffepy: error: process {rank}: {error}") from error


def _train(rank: int, job: Job) -> None:
    import torch

    import caffepy.pycaffe as caffe

    keep_freed_memory()
    if job.gpus:
        caffe.set_device(job.gpus[rank])
        caffe.set_mode_gpu()
    else:
        torch.set_num_threads(max(1, torch.get_num_threads() // job.processes))
    caffe.set_solver_count(job.processes)
    caffe.set_solver_rank(rank)
    caffe.set_multiprocess(True)
    solver = caffe.get_solver(job.solver)
    if job.snapshot:
        solver.restore(job.snapshot)
    nccl = caffe.NCCL(solver, job.uid)
    nccl.bcast()
    if job.timing and rank == 0:
        Timing(solver, nccl)
    else:
        solver.add_callback(nccl)
    if solver.param.layer_wise_reduce:
        solver.net.after_backward(nccl)
    solver.solve()


class Timing:
    """Logs, every `display` iterations, how long their parts took on average, in ms.

    Of the mean of the gradients it is what was left to do when the backward pass was done.
    """

    PARTS = ("forward", "backward", "mean of gradients", "iteration")

    def __init__(self, solver: "Solver", nccl: "pycaffe.NCCL") -> None:
        from caffepy.pycaffe import Timer

        self.solver = solver
        self.timers = {part: Timer() for part in self.PARTS}
        self.sums = dict.fromkeys(self.PARTS, 0.0)
        self.passes = 0
        last = len(solver.net.layers) - 1
        solver.net.before_forward(lambda layer: self._start("forward") if layer == 0 else None)
        solver.net.after_forward(lambda layer: self._stop("forward") if layer == last else None)
        solver.net.before_backward(lambda layer: self._start("backward") if layer == last else None)
        solver.net.after_backward(lambda layer: self._stop("backward") if layer == 0 else None)
        solver.add_callback(self._begin, lambda: None)
        solver.add_callback(nccl.on_start, lambda: self._mean(nccl))

    def _start(self, part: str) -> None:
        self.timers[part].start()

    def _stop(self, part: str) -> None:
        self.sums[part] += self.timers[part].ms

    def _begin(self) -> None:
        if self.passes:
            self._stop("iteration")
        display = self.solver.param.display
        if display and self.passes == display:
            means = ", ".join(
                f"{part} {self.sums[part] / self.passes:.2f} ms" for part in self.PARTS
            )
            log.info("Iteration %d, on average since the last: %s", self.solver.iter, means)
            self.passes, self.sums = 0, dict.fromkeys(self.PARTS, 0.0)
        self.passes += 1
        self._start("iteration")

    def _mean(self, nccl: "pycaffe.NCCL") -> None:
        self._start("mean of gradients")
        nccl.on_gradients_ready()
        self._stop("mean of gradients")
