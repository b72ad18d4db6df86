"""Every prototxt that is shipped can be read, and those of one example fit together."""

from pathlib import Path

import pytest

from caffepy.graph.load import load_graph
from caffepy.graph.solver_nets import read_solver, train_graph
from caffepy.net.build import build_net
from caffepy.proto import TEST, TRAIN, LayerParameter, NetState, SolverParameter
from caffepy.proto.files import read_text

ROOT = Path(__file__).parents[1]
SHIPPED = [
    path for folder in ("examples", "models") for path in (ROOT / folder).rglob("*.prototxt")
]
SOLVERS = [path for path in SHIPPED if "solver" in path.name]
DEPLOYED = [path for path in SHIPPED if "deploy" in path.name]
TRAINED = [path for path in SHIPPED if path not in SOLVERS + DEPLOYED]
DIGITS = ROOT / "examples/digits"


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOLVERS, ids=name)
def test_solver(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths count from the top of the project, or from the solver's own folder."""
    param, _ = read_text(path, SolverParameter)
    monkeypatch.chdir(ROOT if (ROOT / param.net).exists() else path.parent)

    solver = read_solver(path)

    assert solver.problems == ()
    assert train_graph(solver).problems == ()


@pytest.mark.parametrize("path", TRAINED, ids=name)
@pytest.mark.parametrize("phase", [TRAIN, TEST], ids=["train", "test"])
def test_net_to_train(path: Path, phase: int) -> None:
    assert load_graph(path, NetState(phase=phase)).problems == ()  # type: ignore[arg-type]


@pytest.mark.parametrize("path", DEPLOYED, ids=name)
def test_net_to_deploy(path: Path) -> None:
    net = build_net(load_graph(path, NetState(phase=TEST)))

    assert net.outputs == ["prob"]


def learning(path: Path) -> dict[str, LayerParameter]:
    """The layers of a net that have blobs, in phase TEST, without what only training reads."""
    layers = {}
    for node in load_graph(path, NetState(phase=TEST)).nodes:
        param = LayerParameter()
        param.CopyFrom(node.param)
        del param.param[:]
        for message in (param.convolution_param, param.inner_product_param):
            message.ClearField("weight_filler")
            message.ClearField("bias_filler")
        if param.type in ("Convolution", "InnerProduct"):
            layers[param.name] = param
    return layers


def test_the_digits_are_classified_by_the_net_that_was_trained() -> None:
    trained = learning(DIGITS / "lenet_train_test.prototxt")

    assert learning(DIGITS / "lenet_deploy.prototxt") == trained
    assert list(trained) == ["conv1", "conv2", "ip1", "ip2"]


def test_there_is_a_label_for_each_digit() -> None:
    assert len((DIGITS / "labels.txt").read_text().splitlines()) == 10
