"""`caffepy draw_net`, and the script of that name."""

import subprocess
import sys
from pathlib import Path

import pytest

from caffepy.cli.main import main

ROOT = Path(__file__).parents[2]
NET = """
layer { name: "data" type: "Data" top: "data" include { phase: TRAIN } data_param { batch_size: 3 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" param { lr_mult: 3 }
        inner_product_param { num_output: 7 } }
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(NET)


def test_draws_the_whole_net_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["draw_net", "net.prototxt", "net.dot"]) == 0

    assert capsys.readouterr().out == "Drawing net to net.dot\n"
    text = Path("net.dot").read_text()
    assert "rankdir=LR;" in text
    assert r'"data\n(Data)" -> data' in text
    assert r'"ip\n(InnerProduct)" -> ip' in text


def test_the_flags_of_caffes_script() -> None:
    flags = ["--rankdir=TB", "--phase", "TEST", "--display_lrm"]
    assert main(["draw_net", "net.prototxt", "net.dot", *flags]) == 0

    text = Path("net.dot").read_text()
    assert "rankdir=TB;" in text
    assert "(Data)" not in text
    assert '"ip (InnerProduct) lr mult: 3.0, 1.0"' in text


def test_the_script() -> None:
    script = ROOT / "tools" / "draw_net"
    subprocess.run([sys.executable, script, "net.prototxt", "net.dot"], check=True)

    assert Path("net.dot").read_text().startswith("digraph Net {")


def test_without_graphviz(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert main(["draw_net", "net.prototxt", "net.png"]) == 1

    assert "needs Graphviz's program dot" in capsys.readouterr().err
    assert not Path("net.png").exists()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param(["net.prototxt"], "arguments are required: IMAGE", id="no picture"),
        pytest.param(["a", "b", "--phase", "test"], "invalid choice: 'test'", id="phase"),
        pytest.param(["a", "b", "--rankdir", "UP"], "invalid choice: 'UP'", id="direction"),
    ],
)
def test_bad_usage(capsys: pytest.CaptureFixture[str], argv: list[str], message: str) -> None:
    assert main(["draw_net", *argv]) == 2

    assert message in capsys.readouterr().err
