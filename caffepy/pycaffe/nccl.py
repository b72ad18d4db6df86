"""Solvers in several processes, whose gradients are averaged: pycaffe's NCCL."""

import tempfile
import uuid
import weakref
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from caffepy.errors import CaffeError
from caffepy.pycaffe import mode
from caffepy.pycaffe.solver import Solver


def has_nccl() -> bool:
    """Whether solvers can train together here: over NCCL on GPUs, over Gloo on CPUs."""
    return dist.is_available()


class NCCL:
    """Ties this process's solver to those of the other processes, in each iteration.

    Every process says which it is, by `set_solver_count` and `set_solver_rank`, makes its solver,
    and then this; the constructor returns when all of them have come. Then `bcast`, and
    `solver.add_callback(nccl)`: from there on all make the same updates. With
    `solver.net.after_backward(nccl)` besides, a layer's gradients travel while those of the layers
    below it are computed.

    Args:
        solver: this process's solver.
        uid: what `new_uid` gave, the same in all processes; they run on one machine.

    Raises:
        CaffeError: this process has an NCCL already.
        ValueError: its rank is not below the count of solvers.
    """

    def __init__(self, solver: Solver, uid: bytes) -> None:
        rank, world = mode.solver_rank(), mode.solver_count()
        if not isinstance(uid, bytes):
            raise TypeError(f"uid is {uid!r}, and must be what NCCL.new_uid() gave")
        if rank >= world:
            raise ValueError(f"the rank is {rank}, and the count of solvers {world}")
        if dist.is_initialized():
            raise CaffeError("this process has an NCCL already, and can have one at a time")
        net = solver.net._net
        self._parameters = [entry.param for entry in net.learnable]
        self._layers = [net.blobs.owners_of(index) for index in range(len(net.layers))]
        shared = any(any(net.blobs.shared(index)) for index in range(len(net.layers)))
        self._early = solver.param.iter_size == 1 and not shared
        self._world = world
        self._under_way: dict[int, dist.Work] = {}
        backend = "nccl" if net.device.type == "cuda" else "gloo"
        place = Path(uid.decode()).as_uri()
        dist.init_process_group(backend, init_method=place, rank=rank, world_size=world)
        weakref.finalize(self, dist.destroy_process_group)

    @staticmethod
    def new_uid() -> bytes:
        """A name of a meeting place on this machine, for one group of processes."""
        return str(Path(tempfile.gettempdir(), f"caffe-{uuid.uuid4().hex}")).encode()

    def bcast(self) -> None:
        """Give every process the parameters that the one of rank 0 has."""
        for parameter in self._parameters:
            dist.broadcast(parameter.data, 0)

    def on_start(self) -> None:
        """Nothing is to be done before a pass."""

    def on_gradients_ready(self) -> None:
        """Put the mean of all processes in the place of each gradient."""
        gradients = [entry.grad for entry in self._parameters if entry.grad is not None]
        for gradient in gradients:
            self._send(gradient)
        for work in self._under_way.values():
            work.wait()
        self._under_way.clear()
        torch._foreach_div_(gradients, self._world)

    def __call__(self, layer: int) -> None:
        """Let the gradients of a layer, which backward has just run, set out.

        Where they are not complete yet, as with `iter_size`, or with a blob that layers share, they
        go with `on_gradients_ready`.
        """
        if self._early:
            for parameter in self._layers[layer]:
                if parameter.grad is not None:
                    self._send(parameter.grad)

    def _send(self, gradient: Tensor) -> None:
        if id(gradient) not in self._under_way:
            work = dist.all_reduce(gradient, async_op=True)
            if work is not None:
                self._under_way[id(gradient)] = work
