"""Where pycaffe's nets run, and the seed of what they draw: settings of the whole program."""

from dataclasses import dataclass

import torch


@dataclass
class _Mode:
    gpu: bool = False
    index: int = 0
    seed: int = 0


_mode = _Mode()


def set_mode_cpu() -> None:
    """Let nets that are made from now on run on the CPU."""
    _mode.gpu = False


def set_mode_gpu() -> None:
    """Let nets that are made from now on run on the GPU that `set_device` chose, or the first."""
    _mode.gpu = True


def set_device(index: int) -> None:
    """Choose the GPU, counted from 0, that `set_mode_gpu` means."""
    _mode.index = index


def set_random_seed(seed: int) -> None:
    """Make what is drawn from now on, by fillers, dropout and data layers, the same in each run."""
    torch.manual_seed(seed)
    _mode.seed = seed


def device() -> torch.device:
    """Where a new net is to run."""
    return torch.device("cuda", _mode.index) if _mode.gpu else torch.device("cpu")


def seed() -> int:
    """What the data layers of a new net draw from."""
    return _mode.seed
