import pytest

from caffepy.errors import NetError, SolverError
from caffepy.graph.problem import Problem, refuse_errors

WARNING = Problem("warning", "net.prototxt:1:2", "odd")
ERRORS = [
    Problem("error", "net.prototxt:3:4", "wrong"),
    Problem("error", "net.prototxt:5:6", "wrong too"),
]


def test_a_problem_is_one_line() -> None:
    assert str(WARNING) == "net.prototxt:1:2: odd"


def test_warnings_are_handed_back() -> None:
    assert refuse_errors([WARNING], NetError) == (WARNING,)


def test_errors_are_raised_together_without_the_warnings() -> None:
    with pytest.raises(SolverError) as caught:
        refuse_errors([ERRORS[0], WARNING, ERRORS[1]], SolverError)
    assert str(caught.value) == "net.prototxt:3:4: wrong\nnet.prototxt:5:6: wrong too"
