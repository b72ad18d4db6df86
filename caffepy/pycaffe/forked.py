"""Processes that are forked from one with nets."""

import os
import sys
from functools import cache

import torch


@cache
def let_children_run() -> None:
    """Let processes that are forked from this one, from now on, run nets, on one thread.

    The threads that OpenMP has here do not live on there, and a child that uses more than one waits
    for them forever.
    """
    if sys.platform != "win32":
        os.register_at_fork(after_in_child=_use_one_thread)


def _use_one_thread() -> None:
    torch.set_num_threads(1)
