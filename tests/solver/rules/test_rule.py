from caffepy.graph.check_solver import SOLVER_TYPES
from caffepy.proto import SolverParameter
from caffepy.solver.rules.rule import RULES


def test_every_known_solver_type_has_its_rule() -> None:
    assert set(RULES) == set(SOLVER_TYPES)


def test_rules_read_fields_that_there_are() -> None:
    fields = set(SolverParameter.DESCRIPTOR.fields_by_name)
    assert {name for rule in RULES.values() for name in rule.reads} - {"iteration"} <= fields
