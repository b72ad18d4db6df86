import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAD = "import caffe\nfrom caffe.proto import caffe_pb2\n"


def run(folder: Path, *args: str, log: int = 2) -> subprocess.CompletedProcess[str]:
    """`python -m caffepy.pycaffe ARGS` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "caffepy.pycaffe", *args],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GLOG_minloglevel": str(log)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_script_runs_as_python_runs_it(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "beside.py").write_text("WORD = 'beside'")
    body = (
        "import sys, os, pickle\n"
        "import beside\n"
        "class Own: pass\n"
        "print(__name__, __file__, sys.argv, sys.path[0], beside.WORD, __spec__)\n"
        "print(type(pickle.loads(pickle.dumps(Own()))) is sys.modules['__main__'].Own)\n"
    )
    (tmp_path / "lib" / "plain.py").write_text(body)
    (tmp_path / "lib" / "tool.py").write_text(HEAD + body)

    ours = run(tmp_path, "lib/tool.py", "--gpu", "-m", "x")
    plain = subprocess.run(
        [sys.executable, "lib/plain.py", "--gpu", "-m", "x"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert ours.stderr == ""
    assert ours.stdout == plain.stdout.replace("plain.py", "tool.py")


@pytest.mark.slow
def test_what_a_script_does_not_catch_begins_with_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text(f"{HEAD}\ndef load():\n    caffe.Net(7, 1)\n\nload()\n")

    done = run(tmp_path, "tool.py")

    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert lines[:2] == [
        "Traceback (most recent call last):",
        f'  File "{tmp_path}/tool.py", line 7, in <module>',
    ]
    assert lines[-1].startswith("TypeError: a net is read from a file")


@pytest.mark.slow
def test_a_script_chooses_its_exit_code_and_the_log_is_shown(tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text(f"{HEAD}caffe.log('over')\nraise SystemExit(7)")

    done = run(tmp_path, "tool.py", log=0)

    assert done.returncode == 7
    assert done.stderr.endswith("tool.py:3] over\n")


@pytest.mark.slow
def test_a_module_runs_as_python_runs_it(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        f"import unittest\n{HEAD}"
        "class TestOwn(unittest.TestCase):\n"
        "    def test_phase(self):\n"
        "        self.assertEqual(caffe.TEST, 1)\n"
    )

    done = run(tmp_path, "-m", "unittest", "-v", "test_own")

    assert done.returncode == 0, done.stderr
    assert "test_phase (test_own.TestOwn" in done.stderr


@pytest.mark.slow
def test_processes_that_begin_anew_find_caffe_too(tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text(
        f"{HEAD}import multiprocessing\n"
        "def work(queue): queue.put(caffe.Net.__module__)\n"
        "if __name__ == '__main__':\n"
        "    spawn = multiprocessing.get_context('spawn')\n"
        "    queue = spawn.SimpleQueue()\n"
        "    process = spawn.Process(target=work, args=(queue,))\n"
        "    process.start()\n"
        "    process.join()\n"
        "    print(process.exitcode, queue.get() if not process.exitcode else None)\n"
    )

    done = run(tmp_path, "tool.py")

    assert done.stdout == "0 caffepy.pycaffe.net\n", done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((), "which script, or which module?"),
        (("-m",), "which script, or which module?"),
        (("missing.py",), "can't open file 'missing.py'"),
        (("-x", "tool.py"), "-x"),
    ],
    ids=["nothing", "no module", "missing", "unknown flag"],
)
def test_bad_usage_exits_with_2(tmp_path: Path, args: tuple[str, ...], text: str) -> None:
    done = run(tmp_path, *args)

    assert done.returncode == 2
    assert text in done.stderr


@pytest.mark.slow
def test_help(tmp_path: Path) -> None:
    done = run(tmp_path, "--help")

    assert done.returncode == 0
    assert "python -m caffepy.pycaffe classify.py" in done.stdout
