import os
from pathlib import Path

import pytest

from caffepy.cli.main import main

ROOT = Path(__file__).parents[2]
NEW = """\
max_iter: 5
net_param {
  layer {
    name: "r"
    type: "ReLU"
  }
}
type: "AdaGrad"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def upgrade(text: str) -> int:
    Path("old").write_text(text)
    return main(["upgrade_solver_proto_text", "old", "new"])


def test_an_old_solver_and_the_net_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    text = "solver_type: ADAGRAD max_iter: 5 net_param { layers { name: 'r' type: RELU } }"

    assert upgrade(text) == 0

    assert Path("new").read_text() == NEW
    err = capsys.readouterr().err
    assert "File already" not in err
    assert err.endswith("] Wrote upgraded SolverParameter text proto to new\n")


def test_a_solver_of_today_is_written_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert upgrade(NEW) == 0

    assert Path("new").read_text() == NEW
    assert "] File already in latest proto format: old\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("layer { }", "SolverParameter has no field 'layer'", id="a net"),
        pytest.param("type: 'Adam' solver_type: ADAM", "are both set", id="both types"),
    ],
)
def test_refuses_and_writes_nothing(
    text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert upgrade(text) == 1

    assert message in capsys.readouterr().err
    assert not Path("new").exists()


def test_the_tool_calls_the_verb() -> None:
    tool = ROOT / "tools" / "upgrade_solver_proto_text"

    assert os.access(tool, os.X_OK)
    assert 'main(["upgrade_solver_proto_text", *sys.argv[1:]])' in tool.read_text()
