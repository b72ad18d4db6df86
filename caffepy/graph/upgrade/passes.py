"""The upgrades in their order, from whatever format a file has to today's.

Caffe: src/caffe/util/upgrade_proto.cpp.
"""

import logging
from collections.abc import Iterator
from typing import Protocol

from caffepy.graph.pool_norm import resolve
from caffepy.graph.problem import Problem
from caffepy.graph.upgrade import batch_norm, data_transform, inputs, solver_type, v0, v1
from caffepy.graph.upgrade.entry import Entry
from caffepy.proto import NetParameter, SolverParameter

log = logging.getLogger(__name__)


class Pass(Protocol):
    """What the module of an upgrade of nets offers; ATTEMPT and DONE are what is logged."""

    ATTEMPT: str
    DONE: str

    def needed(self, net: NetParameter) -> bool:
        """Whether the net has what this upgrade is for."""

    def upgrade(self, net: Entry[NetParameter]) -> tuple[Entry[NetParameter], list[Problem]]:
        """The net without it, and what got lost; raises NetError where it cannot be done."""


PASSES: tuple[Pass, ...] = (v0, data_transform, v1, inputs, batch_norm)


def upgrade_net(net: Entry[NetParameter]) -> tuple[Entry[NetParameter], list[Problem]]:
    """A net in today's format, each layer with its place in the file.

    The net given is not changed; it is itself the result where nothing is old. The problems say
    what got lost: an error where the net cannot be built without it, else a warning.

    Raises:
        NetError: there is no such net in today's format; one line a problem.
    """
    problems: list[Problem] = []
    for each in PASSES:
        if not each.needed(net.message):
            continue
        log.info(each.ATTEMPT, net.position.file)
        net, found = each.upgrade(net)
        problems += found
        if not found:
            log.info(each.DONE)
    return net, problems


def plain_net(net: Entry[NetParameter]) -> tuple[Entry[NetParameter], list[Problem]]:
    """A net as any Caffe reads it: in today's format, with its `pool_norm_order` carried out.

    Otherwise as `upgrade_net`, but for the places of the layers.
    """
    upgraded, problems = upgrade_net(net)
    if upgraded.message.HasField("pool_norm_order"):
        upgraded = Entry(resolve(upgraded.message), upgraded.position)
    return upgraded, problems


def upgrade_type(solver: Entry[SolverParameter]) -> Entry[SolverParameter]:
    """A solver without `solver_type`; its nets are as they were.

    Raises:
        SolverError: it has `type` as well.
    """
    if not solver_type.needed(solver.message):
        return solver
    log.info(solver_type.ATTEMPT, solver.position.file)
    solver = solver_type.upgrade(solver)
    log.info(solver_type.DONE)
    return solver


def upgrade_solver(solver: Entry[SolverParameter]) -> tuple[SolverParameter, list[Problem]]:
    """A solver in today's format, and the nets inside it, which Caffe leaves as they are.

    The nets and the problems are as `plain_net` has them.

    Raises:
        SolverError: it has `type` as well as `solver_type`.
        NetError: one of its nets cannot be upgraded.
    """
    solver = upgrade_type(solver)
    new = SolverParameter()
    new.CopyFrom(solver.message)
    problems: list[Problem] = []
    for net in _nets(Entry(new, solver.position)):
        upgraded, found = plain_net(net)
        net.message.CopyFrom(upgraded.message)
        problems += found
    return new, problems


def _nets(solver: Entry[SolverParameter]) -> Iterator[Entry[NetParameter]]:
    """The nets inside a solver."""
    param = solver.message
    if param.HasField("net_param"):
        yield Entry(param.net_param, solver.place("net_param"))
    if param.HasField("train_net_param"):
        yield Entry(param.train_net_param, solver.place("train_net_param"))
    for index, net in enumerate(param.test_net_param):
        yield Entry(net, solver.place("test_net_param", index))
