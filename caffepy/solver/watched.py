"""An output of a test net that decides something, and which way it is better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from caffepy.errors import SolverError, near
from caffepy.graph.graph import Graph
from caffepy.graph.solver_nets import SolverFile
from caffepy.net.net import Net


@dataclass(frozen=True)
class Watched:
    """An output, the place of its net among the test nets, and whether more of it is better."""

    output: str
    net: int
    higher: bool

    def value(self, means: Mapping[str, Tensor]) -> float:
        """What a test gave for it: the mean of its numbers."""
        return float(means[self.output].mean())

    def cost(self, means: Mapping[str, Tensor]) -> float:
        """The same, negated where more is better: what a training wants to be small."""
        return -self.value(means) if self.higher else self.value(means)


def watch(file: SolverFile, field: str, test_nets: Sequence[Net]) -> Watched | None:
    """The output that a field of the solver names, in the first test net that has it.

    None where the field is not set. Raises SolverError where no test net has the output.
    """
    if not file.param.HasField(field):
        return None
    name = getattr(file.param, field)
    for index, net in enumerate(test_nets):
        if name in net.outputs:
            return Watched(name, index, is_score(net.graph, name))
    known = sorted({output for net in test_nets for output in net.outputs})
    raise SolverError(
        f"{file.position.at(field)}: {field}: no test net has an output {name!r}; there are "
        f"{', '.join(known) or 'none'}{near(name, known)}"
    )


def is_score(graph: Graph, output: str) -> bool:
    """Whether more of an output is better.

    Less is better of what training minimises: an output with a positive loss weight, or without
    one, of a type whose name ends in Loss. All else, such as an accuracy, is a score.
    """
    weight = graph.loss_weights.get(output, 0.0)
    maker = [node.param.type for node in graph.nodes if output in node.param.top][-1]
    return weight < 0 or (weight == 0 and not maker.endswith("Loss"))
