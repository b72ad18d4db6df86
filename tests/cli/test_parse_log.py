import subprocess
import sys
from pathlib import Path

import pytest

from caffepy.cli.main import main
from tests.cli.logs import GOLDEN, ROOT, write_log
from tests.cli.tiny import write_tiny

# What Caffe's own script writes of its log, but for the rate of row 6: Caffe puts there the one
# logged before it, 0.1.
TRAIN = """\
NumIters,Seconds,LearningRate,loss
0.0,0.00018,0.1,0.900313
2.0,0.000225,0.1,0.851864
4.0,0.000281,0.1,0.739584
6.0,0.000527,0.05,1.05075
8.0,0.000582,0.05,1.42279
"""
TEST = """\
NumIters,Seconds,LearningRate,accuracy,loss
0.0,0.000144,0.1,0.383333,1.27109
4.0,0.000262,0.1,0.45,1.20774
8.0,0.000565,0.05,0.533333,1.02306
"""


def parse(*argv: object) -> int:
    return main(["parse_log", *map(str, argv)])


def test_two_files_as_caffe_s_script_writes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parse(GOLDEN, tmp_path) == 0

    assert (tmp_path / "train.log.train").read_bytes() == TRAIN.replace("\n", "\r\n").encode()
    assert (tmp_path / "train.log.test").read_bytes() == TEST.replace("\n", "\r\n").encode()
    assert capsys.readouterr() == ("", "")


def test_the_script_in_tools(tmp_path: Path) -> None:
    script: list[str | Path] = [
        sys.executable,
        ROOT / "tools/parse_log",
        GOLDEN,
        tmp_path,
        "--verbose",
    ]

    done = subprocess.run(script, capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout == f"Wrote {tmp_path}/train.log.train\nWrote {tmp_path}/train.log.test\n"


def test_a_log_of_caffepy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tiny(tmp_path)
    main(["train", "-solver", "solver.prototxt"])
    Path("log").write_text(capsys.readouterr().err)

    assert parse("log", ".") == 0

    train = [line.split(",") for line in Path("log.train").read_text().splitlines()]
    test = [line.split(",") for line in Path("log.test").read_text().splitlines()]
    assert train[0] == ["NumIters", "Seconds", "LearningRate", "loss"]
    assert [row[::2] for row in train[1:]] == [["0.0", "2.0"], ["5.0", "2.0"]]
    assert test[0] == ["NumIters", "Seconds", "LearningRate", "accuracy", "loss"]
    assert [row[0] for row in test[1:]] == ["0.0", "5.0", "10.0"]


def test_rows_of_nan_and_single_rows_are_kept_and_cells_may_be_empty(tmp_path: Path) -> None:
    log = write_log(
        tmp_path / "log",
        """
        Solving x
        Iteration 0, Testing net (#0)
            Test net output #0: a b,c = -nan
        Iteration 0, loss = 1
            Train net output #0: one = inf
        Iteration 0, lr = 0.5
        Iteration 1, loss = 1
            Train net output #0: two = 2
        """,
    )

    assert parse(log, tmp_path, "--delimiter", ";") == 0

    assert (tmp_path / "log.test").read_text().splitlines() == [
        "NumIters;Seconds;LearningRate;a b,c",
        "0.0;2.0;0.5;nan",
    ]
    assert (tmp_path / "log.train").read_text().splitlines() == [
        "NumIters;Seconds;LearningRate;one;two",
        "0.0;4.0;0.5;inf;",
        "1.0;7.0;0.5;;2.0",
    ]


def test_a_phase_without_rows_has_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = write_log(
        tmp_path / "log", "Solving x\nIteration 0, loss = 1\n Train net output #0: a = 1"
    )

    assert parse(log, tmp_path, "--verbose") == 0

    assert not (tmp_path / "log.test").exists()
    assert capsys.readouterr().out == (
        f"Wrote {log}.train\nNot writing {log}.test; no lines to write\n"
    )


def test_a_log_without_outputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write_log(tmp_path / "log", "Solving x\nIteration 0, loss = 1")

    assert parse(log, tmp_path) == 1

    assert "log: no line says `Train net output #0: …`" in capsys.readouterr().err


def test_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert parse(GOLDEN, tmp_path / "none") == 1

    assert "train.log.train: No such file" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", ";;", "\n", '"'])
def test_a_delimiter_is_one_character(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    assert parse(GOLDEN, tmp_path, f"--delimiter={text}") == 2

    assert f"{text!r} is not one character" in capsys.readouterr().err
