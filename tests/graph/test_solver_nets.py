from collections.abc import Sequence
from pathlib import Path

import pytest

from caffepy.errors import NetError, ParseError, SolverError
from caffepy.graph import solver_nets
from caffepy.graph.solver_nets import SolverFile, read_solver, train_graph
from caffepy.proto import TEST, TRAIN, Phase
from tests.graph.nets import LENET, layer

REST = "base_lr: 0.1 lr_policy: 'fixed' max_iter: 10 test_interval: 5"
Summary = tuple[str, Phase, int, list[str]]


def net(name: str, state: str = "") -> str:
    """A net of one layer, told apart by its name."""
    return f"name: '{name}' state {{ {state} }} {layer('in', 'Input', '', 'a')}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("a.prototxt").write_text(net("a"))
    Path("b.prototxt").write_text(net("b", "level: 3 stage: 'own'"))
    Path("lenet.prototxt").write_text(LENET)
    return tmp_path


def solver(text: str) -> SolverFile:
    Path("solver.prototxt").write_text(f"{REST} {text}")
    return read_solver("solver.prototxt")


def states(file: SolverFile) -> list[Summary]:
    """Name, phase, level and stages of each test net."""
    graphs = solver_nets.test_graphs(file)
    return [(g.name, g.state.phase, g.state.level, list(g.state.stage)) for g in graphs]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("net: 'a.prototxt'", "a"),
        ("train_net: 'b.prototxt'", "b"),
        (f"net_param {{ {net('c')} }}", "c"),
        (f"train_net_param {{ {net('d')} }}", "d"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_the_net_to_train(text: str, name: str) -> None:
    graph = train_graph(solver(text))
    assert (graph.name, graph.state.phase) == (name, TRAIN)


@pytest.mark.usefixtures("folder")
def test_test_nets_come_in_order_and_the_net_fills_up_what_is_left() -> None:
    file = solver(
        f"test_net: 'b.prototxt' net: 'a.prototxt' test_net_param {{ {net('c')} }} "
        "test_iter: 1 test_iter: 2 test_iter: 3 test_iter: 4"
    )
    assert [name for name, *_ in states(file)] == ["c", "b", "a", "a"]
    file = solver(f"net_param {{ {net('d')} }} test_iter: 1 test_iter: 1")
    assert [name for name, *_ in states(file)] == ["d", "d"]


@pytest.mark.usefixtures("folder")
def test_without_test_iter_there_is_no_test_net() -> None:
    file = solver("net: 'a.prototxt'")
    assert states(file) == []
    assert [problem.severity for problem in file.problems] == ["warning"]


@pytest.mark.usefixtures("folder")
def test_lenet_is_filtered_by_phase() -> None:
    file = solver("net: 'lenet.prototxt' test_iter: 100")
    (test,) = solver_nets.test_graphs(file)
    assert train_graph(file).outputs == ("loss",)
    assert test.outputs == ("accuracy", "loss")


@pytest.mark.parametrize(
    ("train_state", "level", "stages", "expected"),
    [
        pytest.param("", 0, (), (TRAIN, 3, ["own"]), id="the net's own"),
        pytest.param("level: 5 stage: 's'", 0, (), (TRAIN, 5, ["own", "s"]), id="train_state"),
        pytest.param(
            "level: 5 stage: 's'", 7, ("c", "d"), (TRAIN, 7, ["own", "s", "c", "d"]), id="all three"
        ),
        pytest.param("phase: TEST", 0, (), (TEST, 3, ["own"]), id="phase"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_states_of_the_net_to_train(
    train_state: str, level: int, stages: Sequence[str], expected: tuple[Phase, int, list[str]]
) -> None:
    file = solver(f"net: 'b.prototxt' train_state {{ {train_state} }}")
    state = train_graph(file, level, stages).state
    assert (state.phase, state.level, list(state.stage)) == expected


@pytest.mark.usefixtures("folder")
def test_states_of_the_nets_to_test() -> None:
    file = solver(
        "net: 'b.prototxt' test_iter: 1 test_iter: 1 "
        "test_state { level: 5 stage: 's' } test_state { stage: 't' }"
    )
    assert states(file) == [("b", TEST, 5, ["own", "s"]), ("b", TEST, 3, ["own", "t"])]


def test_a_net_inside_the_solver_is_found_in_the_solvers_file(folder: Path) -> None:
    file = solver("\nnet_param {\n layer { name: 'x' type: 'Relu' top: 'x' } }")
    with pytest.raises(NetError) as caught:
        train_graph(file)
    assert str(caught.value).startswith("solver.prototxt:3:20: layer 'x': Unknown layer type: Relu")
    assert file.path == Path("solver.prototxt")
    assert folder == Path.cwd()


@pytest.mark.usefixtures("folder")
def test_wrong_settings_are_raised_together() -> None:
    with pytest.raises(SolverError) as caught:
        solver("net: 'a.prototxt' momentum: 2 iter_size: 0")
    assert [line.split(": ")[1][:9] for line in str(caught.value).splitlines()] == [
        "iter_size",
        "momentum ",
    ]


def test_a_missing_solver(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match="none"):
        read_solver(tmp_path / "none")


V1 = """
name: "old"
layers { name: "in" type: HDF5_DATA top: "a" include { phase: TRAIN } }
layers { name: "in" type: HDF5_DATA top: "a" include { phase: TEST } }
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("net: 'old.prototxt' test_iter: 1", "old.prototxt:3:1", id="a file"),
        pytest.param(
            f"net_param {{ {V1} }} test_iter: 1", "solver.prototxt:3:1", id="in the solver"
        ),
        pytest.param(
            f"train_net_param {{ {V1} }} test_net_param {{ {V1} }} test_iter: 1",
            "solver.prototxt:3:1",
            id="several in the solver",
        ),
    ],
)
@pytest.mark.usefixtures("folder")
def test_old_nets_are_upgraded_wherever_they_are(text: str, line: str) -> None:
    Path("old.prototxt").write_text(V1)
    file = solver(text)

    train = train_graph(file)
    (test,) = solver_nets.test_graphs(file)

    assert [node.param.type for node in (*train.nodes, *test.nodes)] == ["HDF5Data", "HDF5Data"]
    assert str(train.nodes[0].position) == line


@pytest.mark.usefixtures("folder")
def test_solver_type_is_read_as_type() -> None:
    file = solver("net: 'a.prototxt' solver_type: SGD")

    assert (file.param.type, file.param.HasField("solver_type")) == ("SGD", False)


@pytest.mark.usefixtures("folder")
def test_solver_type_is_refused_in_its_place() -> None:
    with pytest.raises(SolverError) as caught:
        solver("net: 'a.prototxt' type: 'SGD'\nsolver_type: SGD")

    assert str(caught.value).startswith("solver.prototxt:1:")
    assert "solver_type and type are both set" in str(caught.value)
