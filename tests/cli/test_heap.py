import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from caffepy.cli.heap import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()
for _ in range(3):
    np.ones(1 << 22)  # 32 MB, the largest block that malloc would learn to keep
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones((1 << 22) + 4096)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is glibc's malloc")
def test_freed_memory_is_taken_again() -> None:
    def faults(how: str) -> int:
        command = [sys.executable, "-c", FAULTS, how]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert faults("kept") < 0.2 * faults("given back")
