import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from caffepy.data.processes import worker_processes
from caffepy.errors import DataError

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, time
from caffepy.data.processes import worker_processes

if __name__ == "__main__":
    with worker_processes(1) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        pool.submit(time.sleep, 600).result()
"""


def test_work_is_done_in_other_processes_at_the_same_time() -> None:
    with worker_processes(2) as pool:
        slow, quick = pool.submit(time.sleep, 2), pool.submit(os.getpid)

        assert quick.result() != os.getpid()
        assert not slow.done()


def test_what_goes_wrong_in_the_work_is_raised_as_it_is() -> None:
    with pytest.raises(FileNotFoundError), worker_processes(1) as pool:
        pool.submit(os.stat, "none").result()


def test_an_interrupt_is_left_to_the_parent() -> None:
    with worker_processes(1) as pool:
        os.kill(pool.submit(os.getpid).result(), signal.SIGINT)

        assert pool.submit(abs, -3).result() == 3


def test_a_process_that_is_killed() -> None:
    with (
        pytest.raises(DataError, match="a process at work has ended: "),
        worker_processes(1) as pool,
    ):
        pool.submit(signal.raise_signal, signal.SIGKILL).result()


def test_a_script_that_begins_anew_in_each_of_them_is_told_what_it_lacks(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.replace('if __name__ == "__main__":', "if True:"))

    done = subprocess.run(
        [sys.executable, str(script)],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT)},
    )

    assert done.returncode == 1
    assert 'needs `if __name__ == "__main__":`' in done.stderr


def test_they_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    ) as program:
        assert program.stdout is not None
        worker = int(program.stdout.readline())
        program.kill()

    for _ in range(100):
        if not running(worker):
            return
        time.sleep(0.1)
    raise AssertionError(f"process {worker} goes on")


def running(process: int) -> bool:
    """Whether a process is there, and not just waiting for its parent to notice its end."""
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
