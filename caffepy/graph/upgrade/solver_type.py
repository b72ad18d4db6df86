"""A solver's `solver_type: ADAM`: now `type: "Adam"`."""

from caffepy.errors import SolverError
from caffepy.graph.problem import refuse_errors
from caffepy.graph.upgrade.entry import Entry, copied
from caffepy.proto import SolverParameter

ATTEMPT = (
    "Attempting to upgrade input file specified using deprecated 'solver_type' field (enum)': %s"
)
DONE = (
    "Successfully upgraded file specified using deprecated 'solver_type' field (enum) "
    "to 'type' field (string)."
)

TYPES = {
    SolverParameter.SGD: "SGD",
    SolverParameter.NESTEROV: "Nesterov",
    SolverParameter.ADAGRAD: "AdaGrad",
    SolverParameter.RMSPROP: "RMSProp",
    SolverParameter.ADADELTA: "AdaDelta",
    SolverParameter.ADAM: "Adam",
}


def needed(solver: SolverParameter) -> bool:
    """Whether the solver has a solver_type."""
    return solver.HasField("solver_type")


def upgrade(solver: Entry[SolverParameter]) -> Entry[SolverParameter]:
    """Say the type by its name. Raises SolverError where that is said too."""
    if solver.message.HasField("type"):
        text = "solver_type and type are both set; leave out solver_type, the older one"
        refuse_errors([solver.error(text, "type")], SolverError)
    new = SolverParameter()
    new.CopyFrom(solver.message)
    new.type = TYPES[new.solver_type]
    new.ClearField("solver_type")
    return Entry(new, copied(solver.position, type=[solver.place("solver_type")]))
