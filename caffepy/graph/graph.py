"""The graph: the layers of a net as they are wired, with their places in the file."""

from dataclasses import dataclass

from caffepy.graph.problem import Problem
from caffepy.proto import LayerParameter, NetState
from caffepy.proto.position import Position

AUTOMATIC = "(automatic)"  # begins the name of a top that a loss was given, having none


@dataclass(frozen=True)
class Node:
    """One layer, and where it stands in the file; a Split layer stands where its producer does."""

    param: LayerParameter
    position: Position

    @property
    def loss_weights(self) -> tuple[float, ...]:
        """By top, its factor in the objective.

        Where the file has none: 1 for the first top of a type named ...Loss, else 0.
        """
        if self.param.loss_weight:
            return tuple(self.param.loss_weight)
        is_loss = self.param.type.endswith("Loss")
        return tuple(float(is_loss and index == 0) for index in range(len(self.param.top)))

    def error(self, text: str, *field: str | int) -> Problem:
        """A problem that stops the run, at a field of this layer."""
        return Problem("error", str(self.position.at(*field)), f"layer {self.param.name!r}: {text}")

    def warning(self, text: str, *field: str | int) -> Problem:
        """A problem to show, at a field of this layer."""
        return self.error(text, *field)._replace(severity="warning")


@dataclass(frozen=True)
class Graph:
    """A net that has been filtered by its state, checked, and split.

    nodes: in file order; every bottom is the top of an earlier node, and read by one node alone.
    state: what the include and exclude rules were held against, phase set.
    problems: warnings, to be shown once.
    """

    name: str
    nodes: tuple[Node, ...]
    state: NetState
    force_backward: bool
    debug_info: bool
    problems: tuple[Problem, ...]
    position: Position

    @property
    def inputs(self) -> tuple[str, ...]:
        """The tops of Input layers, in file order."""
        return tuple(top for n in self.nodes if n.param.type == "Input" for top in n.param.top)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The tops that no layer reads, sorted; a loss's automatic top is none."""
        unread: set[str] = set()
        for node in self.nodes:
            unread -= set(node.param.bottom)
            unread |= set(node.param.top)
        return tuple(sorted(top for top in unread if not top.startswith(AUTOMATIC)))

    @property
    def loss_weights(self) -> dict[str, float]:
        """The factors in the objective that are not 0, by blob."""
        return {
            top: weight
            for node in self.nodes
            for top, weight in zip(node.param.top, node.loss_weights, strict=True)
            if weight
        }
