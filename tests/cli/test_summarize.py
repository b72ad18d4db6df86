"""`caffepy summarize`: the table, its colours, and the script of that name."""

import subprocess
import sys
from pathlib import Path

import pytest

from caffepy.cli.main import main
from caffepy.cli.summarize import laid_out, rows
from caffepy.proto import NetParameter
from caffepy.proto.text import parse_text

ROOT = Path(__file__).parents[2]
NET = """
layer { name: "data" type: "Python" top: "data" top: "label"
        python_param { module: "reader" layer: "Faces" } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        param { name: "w" lr_mult: 2 } param { decay_mult: 0 }
        convolution_param { num_output: 20 kernel_size: 5 stride: 2 pad: 1 group: 4 } }
layer { name: "up" type: "Deconvolution" bottom: "conv" top: "up" param {}
        convolution_param { num_output: 3 kernel_h: 3 kernel_w: 5 } }
layer { name: "pool" type: "Pooling" bottom: "up" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "all" type: "Pooling" bottom: "pool" top: "all" pooling_param { global_pooling: true } }
layer { name: "ip" type: "InnerProduct" bottom: "all" bottom: "who" top: "ip"
        inner_product_param { num_output: 7 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" loss_weight: 0.4 }
"""
TABLE = """\
data reader.Faces                               -> data, label
conv Convolution     (w x2, Dx0) data           -> conv        5/2+1 20/4
up   Deconvolution               conv           -> up          3x5 3
pool Pooling                     up             -> pool        2/2
all  Pooling                     pool           -> all         global
ip   InnerProduct                all, who       -> ip          7
loss SoftmaxWithLoss             ip, label      -> 0.4 * loss
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(NET)


def squeezed(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_a_line_a_layer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summarize", "net.prototxt"]) == 0

    assert squeezed(capsys.readouterr().out) == squeezed(TABLE)


def test_columns_begin_at_one_place(capsys: pytest.CaptureFixture[str]) -> None:
    main(["summarize", "net.prototxt"])

    lines = capsys.readouterr().out.splitlines()
    assert len({line.index("->") for line in lines}) == 1
    assert lines[0].index("data,") == lines[1].index("conv", 4)


@pytest.mark.parametrize("flag", ["-w", "--max-width", "--max_width"])
def test_columns_are_no_wider_than_asked_for(capsys: pytest.CaptureFixture[str], flag: str) -> None:
    assert main(["summarize", "net.prototxt", flag, "6"]) == 0

    assert capsys.readouterr().out.splitlines()[2] == "up   Deconvolution  conv -> up  3x5 3"


def test_a_long_entry_moves_no_column_if_it_can() -> None:
    table = [["a", "longer than it may be", "", "end"], ["b", "", "", "end"]]

    assert list(laid_out(table, 12)) == [
        "a longer than it may be  end",
        f"b{14 * ' '}end",
    ]


def test_blobs_have_colours() -> None:
    net = parse_text(NET.encode(), NetParameter, "net")[0]
    *_, product, loss = rows(net)

    assert product[3] == "\033[96mall\033[0m, \033[41mwho\033[0m"  # who: of no layer
    assert loss[3] == "\033[42mip\033[0m, \033[93mlabel\033[0m"
    assert loss[5] == "\033[1;4;43;30m0.4 * loss\033[0m"  # read by none


def test_the_script() -> None:
    script = ROOT / "tools" / "summarize"
    done = subprocess.run(
        [sys.executable, script, "net.prototxt"], capture_output=True, text=True, check=True
    )

    assert squeezed(done.stdout) == squeezed(TABLE)


def test_a_width_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summarize", "net.prototxt", "-w", "0"]) == 2

    assert "--max-width is 0" in capsys.readouterr().err
