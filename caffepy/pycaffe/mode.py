"""Where pycaffe's nets run, the seed of what they draw, and which of how many solvers this is.

Settings of the whole program, for what is made from then on.
"""

from dataclasses import dataclass
from operator import index as whole

import torch

from caffepy.errors import CaffeError


@dataclass
class _Mode:
    gpu: bool = False
    index: int = 0
    seed: int = 0
    count: int = 1
    rank: int = 0
    multiprocess: bool = False


_mode = _Mode()


def set_mode_cpu() -> None:
    """Let nets that are made from now on run on the CPU."""
    _mode.gpu = False


def set_mode_gpu() -> None:
    """Let nets that are made from now on run on the GPU that `set_device` chose, or the first."""
    _mode.gpu = True


def set_device(index: int) -> None:
    """Choose the GPU, counted from 0, that `set_mode_gpu` means."""
    _mode.index = _not_below(0, index, "a device")


def set_random_seed(seed: int) -> None:
    """Make what is drawn from now on, by fillers, dropout and data layers, the same in each run."""
    torch.manual_seed(seed)
    _mode.seed = seed


def solver_count() -> int:
    """How many processes train one net together."""
    return _mode.count


def set_solver_count(count: int) -> None:
    """Say how many processes train one net together: data layers deal their records out to them."""
    _mode.count = _not_below(1, count, "the count of solvers")


def solver_rank() -> int:
    """Which of the processes that train together this is, counted from 0."""
    return _mode.rank


def set_solver_rank(rank: int) -> None:
    """Say which of the processes that train together this is; 0 alone tests, displays, snapshots."""
    _mode.rank = _not_below(0, rank, "a rank")


def set_multiprocess(on: bool) -> None:
    """Say, as in Caffe, that the solvers are processes: here they always are."""
    _mode.multiprocess = bool(on)


def device() -> torch.device:
    """Where a new net is to run.

    Raises:
        CaffeError: on a GPU that this machine does not have.
    """
    if not _mode.gpu:
        return torch.device("cpu")
    found = torch.cuda.device_count()
    if _mode.index >= found:
        raise CaffeError(
            f"the mode is GPU and the device {_mode.index}, but this machine has {found} CUDA "
            "devices; caffe.set_mode_cpu() runs nets without"
        )
    return torch.device("cuda", _mode.index)


def seed() -> int:
    """What the data layers of a new net draw from."""
    return _mode.seed


def _not_below(least: int, value: int, what: str) -> int:
    number = whole(value)
    if number < least:
        raise ValueError(f"{what} is {least} or more; {value} is given")
    return number
