"""`caffepy VERB`: which verb runs, what is printed, and the exit codes."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import caffepy
from caffepy.cli.main import HELP, VERBS, load, main


@pytest.mark.parametrize("flag", ["--help", "-help", "-h"])
def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str], flag: str) -> None:
    assert main([flag]) == 0

    out = capsys.readouterr().out
    for verb, line in VERBS.items():
        assert re.search(rf"^  {verb} +{line}$", out, re.MULTILINE)


@pytest.mark.parametrize("flag", ["--version", "-version"])
def test_version(capsys: pytest.CaptureFixture[str], flag: str) -> None:
    assert main([flag]) == 0

    assert capsys.readouterr().out == f"caffepy {caffepy.__version__}\n"


def test_without_arguments_help_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2

    assert capsys.readouterr().err == HELP


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param(["tran"], "Unknown action: 'tran'; did you mean 'train'?", id="near"),
        pytest.param(["tran"], "Available caffe actions: convert_imageset, ", id="list"),
        pytest.param(["-solver", "train"], "unknown flag -solver, and no verb", id="a value"),
        pytest.param(["--frobnicate"], "unknown flag --frobnicate, and no verb", id="a flag"),
        pytest.param(["train", "-slover", "x"], "did you mean '--solver'", id="near flag"),
        pytest.param(
            ["train", "-phase", "TEST"], "unknown flag -phase, which is for time", id="other verb's"
        ),
        pytest.param(["train", "-log_dir", "."], "the log is on stderr", id="glog's"),
        pytest.param(["train"], "Need a solver definition to train.", id="from the verb"),
        pytest.param(["train", "more"], "unrecognized arguments: more", id="a word too many"),
    ],
)
def test_bad_usage(capsys: pytest.CaptureFixture[str], argv: list[str], message: str) -> None:
    assert main(argv) == 2

    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("caffepy: error: ") for line in lines)
    assert any(message in line for line in lines)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 8 GiB.\nMore"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_memory_that_is_short_is_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def run(_: object) -> int:
        raise error

    monkeypatch.setattr("caffepy.cli.device_query.run", run)

    assert main(["device_query"]) == 1

    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("caffepy: error: out of memory: ")
    assert second == "caffepy: error: a smaller batch_size, or smaller images, take less"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([verb, "--help"])

    out = capsys.readouterr().out
    assert exit_.value.code == 0
    assert f"usage: caffepy {verb}" in out
    assert VERBS[verb] in out
    assert f"caffepy {verb} " in out.split("example:")[1]


@pytest.mark.parametrize("verb", VERBS)
def test_every_flag_of_every_verb_is_explained(verb: str) -> None:
    _, parser = load(verb)

    assert [action.dest for action in parser._actions if not action.help] == []


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("train -solver no.prototxt", id="flag after the verb"),
        pytest.param("-solver no.prototxt train", id="flag before the verb"),
        pytest.param("-solver=no.prototxt train", id="with equals"),
        pytest.param("-traceback train -solver no.prototxt", id="a switch before the verb"),
        pytest.param("-gpu= -solver no.prototxt train -level -1", id="flags around the verb"),
    ],
)
def test_flags_may_stand_before_the_verb(capsys: pytest.CaptureFixture[str], line: str) -> None:
    assert main(line.split()) == 1

    assert "no.prototxt" in capsys.readouterr().err


def test_a_value_may_be_the_name_of_a_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-solver", "test", "train"]) == 1

    assert "test" in capsys.readouterr().err


def test_every_line_of_an_error_is_marked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(
        'layer { name: "a" type: "ReLU" bottom: "x" top: "a" }\n'
        'layer { name: "b" type: "ReLU" bottom: "y" top: "b" }\n'
    )

    assert main(["test", "-model", str(net), "-weights", "none.caffemodel"]) == 1

    lines = [line for line in capsys.readouterr().err.splitlines() if "net.prototxt:" in line]
    assert len(lines) == 2
    assert all(line.startswith(f"caffepy: error: {net}:") for line in lines)


def test_a_traceback_is_shown_where_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    main(["train", "-solver", "no.prototxt"])
    assert "Traceback" not in capsys.readouterr().err

    main(["train", "-solver", "no.prototxt", "--traceback"])
    assert "Traceback" in capsys.readouterr().err


def test_interrupted(tmp_path: Path) -> None:
    """A pipe without a writer keeps the program reading; it is open as soon as we can open it."""
    pipe = tmp_path / "solver.prototxt"
    os.mkfifo(pipe)
    program = subprocess.Popen(
        [sys.executable, "-m", "caffepy", "train", "-solver", str(pipe)],
        stderr=subprocess.PIPE,
        text=True,
    )
    with pipe.open("w"):
        program.send_signal(signal.SIGINT)
        _, err = program.communicate()

    assert program.returncode == 130
    assert "Traceback" not in err


def test_a_reader_that_goes_away_is_no_error() -> None:
    line = f"{sys.executable} -m caffepy --help | true"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)

    assert done.stderr == ""


def test_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "caffepy", "--version"], capture_output=True, text=True, check=True
    )

    assert done.stdout == f"caffepy {caffepy.__version__}\n"
