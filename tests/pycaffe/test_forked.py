"""Processes that are forked from one that has run a net."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import multiprocessing

import numpy as np

import caffepy.pycaffe as caffe

net = caffe.Net("net.prototxt", caffe.TEST)
net.blobs["x"].data[...] = 1
parents = net.forward()["y"].copy()

def child(queue):
    queue.put(net.forward()["y"].copy())

if __name__ == "__main__":
    fork = multiprocessing.get_context("fork")
    queue = fork.Queue()
    process = fork.Process(target=child, args=(queue,), daemon=True)
    process.start()
    np.testing.assert_allclose(queue.get(timeout=20), parents, rtol=1e-4)
"""
# Large enough for several threads.
NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 8 dim: 3 dim: 64 dim: 64 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
        convolution_param { num_output: 32 kernel_size: 5 weight_filler { type: "xavier" } } }
layer { name: "y" type: "InnerProduct" bottom: "c" top: "y"
        inner_product_param { num_output: 30 weight_filler { type: "xavier" } } }
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_forked_child_runs_its_parents_net(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "fork.py").write_text(SCRIPT)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    run = subprocess.run(
        [sys.executable, tmp_path / "fork.py"], cwd=tmp_path, capture_output=True, check=False
    )
    assert run.returncode == 0, run.stderr.decode()
