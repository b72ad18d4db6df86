import subprocess
import sys
from pathlib import Path

import pytest

from caffepy.cli.main import main
from caffepy.proto import NetParameter
from caffepy.proto.files import read_text

ROOT = Path(__file__).parents[2]
OLD = 'input: "x" input_dim: [1, 2, 3, 4] layers { name: "r" type: RELU bottom: "x" top: "r" }'
NEW = """\
layer {
  name: "input"
  type: "Input"
  top: "x"
  input_param {
    shape {
      dim: 1
      dim: 2
      dim: 3
      dim: 4
    }
  }
}
layer {
  name: "r"
  type: "ReLU"
  bottom: "x"
  top: "r"
}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old").write_text(OLD)
    Path("new").write_text("to be overwritten")


def upgrade(source: str = "old", target: str = "new") -> int:
    return main(["upgrade_net_proto_text", source, target])


def test_an_old_net(capsys: pytest.CaptureFixture[str]) -> None:
    assert upgrade() == 0

    assert Path("new").read_text() == NEW
    err = capsys.readouterr().err
    assert (
        "] Attempting to upgrade input file specified using deprecated V1LayerParameter: old" in err
    )
    assert err.endswith("] Wrote upgraded NetParameter text proto to new\n")


def test_in_place() -> None:
    assert upgrade("old", "old") == 0

    assert Path("old").read_text() == NEW


def test_a_net_of_today_is_written_too(capsys: pytest.CaptureFixture[str]) -> None:
    Path("old").write_text(f"# comment\n{NEW}")

    assert upgrade() == 0

    assert Path("new").read_text() == NEW
    lines = [line.partition("] ")[2] for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        "File already in latest proto format: old",
        "Wrote upgraded NetParameter text proto to new",
    ]


def test_what_is_lost_is_told_and_the_rest_written(capsys: pytest.CaptureFixture[str]) -> None:
    Path("old").write_text('layers { layer { name: "r" type: "relu" group: 1 } }')

    assert upgrade() == 1

    assert [layer.type for layer in read_text("new", NetParameter)[0].layer] == ["ReLU"]
    assert "] old:1:41: layer 'r': relu takes no group: it is left out\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "cannot read old: No such file or directory", id="missing"),
        pytest.param("nets { }", "old:1:1: NetParameter has no field 'nets'", id="no net"),
        pytest.param("base_lr: 1", "has no field 'base_lr'", id="a solver"),
        pytest.param("\0\1\2", "this is no text file", id="binary"),
        pytest.param("layers { } layer { }", "has both `layers` and `layer`", id="mixed"),
        pytest.param(
            "layers { layer { type: 'convolution' } }", "Unknown layer name: convolution", id="type"
        ),
    ],
)
def test_refuses_and_writes_nothing(
    text: str | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("old").unlink()
    if text is not None:
        Path("old").write_text(text)

    assert upgrade() == 1

    assert message in capsys.readouterr().err
    assert Path("new").read_text() == "to be overwritten"


def test_a_folder_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert upgrade(target="nowhere/new") == 1

    assert "cannot write nowhere/new: No such file or directory" in capsys.readouterr().err


def test_two_files_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upgrade_net_proto_text", "old"]) == 2

    assert "required: OUT" in capsys.readouterr().err


def test_the_tool_runs_from_any_folder() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "upgrade_net_proto_text", "old", "new"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )

    assert done.stderr.endswith("] Wrote upgraded NetParameter text proto to new\n")
    assert Path("new").read_text() == NEW


def test_pool_norm_order_is_carried_out_so_that_any_caffe_reads_the_net() -> None:
    Path("old").write_text("""
        pool_norm_order: NORM_FIRST
        layer { name: "x" type: "Input" top: "x" }
        layer { name: "pool" type: "Pooling" bottom: "x" top: "pool" }
        layer { name: "norm" type: "LRN" bottom: "pool" top: "norm" }
    """)

    assert upgrade() == 0

    net, _ = read_text("new", NetParameter)
    assert not net.HasField("pool_norm_order")
    assert [(layer.name, *layer.bottom) for layer in net.layer] == [
        ("x",),
        ("norm", "x"),
        ("pool", "norm"),
    ]
