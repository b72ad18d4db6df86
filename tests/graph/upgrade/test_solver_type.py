import pytest

from caffepy.errors import SolverError
from caffepy.graph.upgrade import solver_type
from caffepy.graph.upgrade.entry import Entry
from caffepy.proto import SolverParameter
from caffepy.proto.files import parse_text


def solver(text: str) -> Entry[SolverParameter]:
    return Entry(*parse_text(text.encode(), SolverParameter, "solver.prototxt"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SGD", "SGD"),
        ("NESTEROV", "Nesterov"),
        ("ADAGRAD", "AdaGrad"),
        ("RMSPROP", "RMSProp"),
        ("ADADELTA", "AdaDelta"),
        ("ADAM", "Adam"),
    ],
)
def test_types(old: str, new: str) -> None:
    before = solver(f"max_iter: 5\nsolver_type: {old}")
    assert solver_type.needed(before.message)

    after = solver_type.upgrade(before)

    assert after.message == solver(f"max_iter: 5 type: '{new}'").message
    assert str(after.position.at("type")) == "solver.prototxt:2:1"
    assert before == solver(f"max_iter: 5\nsolver_type: {old}")


def test_every_type_is_known() -> None:
    assert set(solver_type.TYPES) == set(SolverParameter.SolverType.values())


@pytest.mark.parametrize("text", ["type: 'Adam'", ""])
def test_is_not_needed(text: str) -> None:
    assert not solver_type.needed(solver(text).message)


def test_both_ways_to_say_it_are_an_error() -> None:
    with pytest.raises(SolverError) as caught:
        solver_type.upgrade(solver("solver_type: SGD\ntype: 'SGD'"))

    assert str(caught.value) == (
        "solver.prototxt:2:1: solver_type and type are both set; "
        "leave out solver_type, the older one"
    )
