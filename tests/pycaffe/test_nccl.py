import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import caffepy.pycaffe as caffe

NET = """
layer { name: "rows" type: "HDF5Data" top: "x" top: "y"
        hdf5_data_param { source: "list.txt" batch_size: BATCH } }
layer { name: "ip1" type: "InnerProduct" bottom: "x" top: "ip1"
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "tanh" type: "TanH" bottom: "ip1" top: "ip1" }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2"
        inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip2" bottom: "y" top: "loss" }
"""
SOLVER = """
net: "NAME.prototxt" base_lr: 0.1 momentum: 0.9 lr_policy: "fixed" max_iter: 6 random_seed: 3
iter_size: ITER test_iter: 1 test_interval: 2 display: 2 snapshot: 3 snapshot_prefix: "NAME"
"""
# Caffe's own train.py, in short: a process a solver, tied together by NCCL.
TRAIN = """
import sys
from multiprocessing import Process
import caffe

def solve(rank, uid, early):
    caffe.set_mode_cpu()
    caffe.set_device(rank)
    caffe.set_solver_count(2)
    caffe.set_solver_rank(rank)
    caffe.set_multiprocess(True)
    solver = caffe.SGDSolver("two.prototxt.solver")
    for blob in solver.net.params["ip1"]:
        blob.data[...] += rank
    nccl = caffe.NCCL(solver, uid)
    nccl.bcast()
    calls = []
    solver.add_callback(lambda: calls.append("start"), lambda: calls.append("ready"))
    solver.add_callback(nccl)
    if early and solver.param.layer_wise_reduce:
        solver.net.after_backward(nccl)
    solver.step(solver.param.max_iter)
    assert calls == ["start", "ready"] * 6, calls
    solver.net.save(f"rank{rank}.caffemodel")
    if rank:
        assert not solver.test_nets
        try:
            solver.snapshot()
        except RuntimeError as error:
            assert "the one of rank 0 snapshots" in str(error)
            return
        raise AssertionError("snapshot")

if __name__ == "__main__":
    uid = caffe.NCCL.new_uid()
    assert isinstance(uid, bytes)
    solvers = [Process(target=solve, args=(r, uid, sys.argv[1] == "early")) for r in range(2)]
    for process in solvers:
        process.start()
    for process in solvers:
        process.join(60)
    sys.exit(max(process.exitcode for process in solvers))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    with h5py.File("rows.h5", "w") as file:
        file["x"] = rng.normal(size=(12, 3)).astype(np.float32)
        file["y"] = rng.normal(size=(12, 2)).astype(np.float32)
    Path("list.txt").write_text("rows.h5\n")
    Path("train.py").write_text(TRAIN)
    return tmp_path


def write_solver(name: str, batch: int, iter_size: int) -> None:
    Path(f"{name}.prototxt").write_text(NET.replace("BATCH", str(batch)))
    text = SOLVER.replace("NAME", name).replace("ITER", str(iter_size))
    Path(f"{name}.prototxt.solver").write_text(text)


@pytest.mark.slow
@pytest.mark.parametrize(("early", "iter_size"), [("early", 1), ("late", 1), ("early", 2)], ids=str)
def test_two_processes_train_as_one_with_twice_the_batch(
    folder: Path, early: str, iter_size: int
) -> None:
    write_solver("two", batch=2, iter_size=iter_size)
    write_solver("one", batch=4, iter_size=iter_size)
    command = [sys.executable, "-m", "caffepy.pycaffe", "train.py", early]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    one = caffe.SGDSolver("one.prototxt.solver")
    one.step(6)

    for rank in range(2):
        net = caffe.Net("two.prototxt", caffe.TEST, weights=f"rank{rank}.caffemodel")
        for name, blobs in one.net.params.items():
            for ours, theirs in zip(net.params[name], blobs, strict=True):
                np.testing.assert_allclose(ours.data, theirs.data, rtol=1e-4, atol=1e-5)
    assert len(list(folder.glob("two_iter_*.solverstate"))) == 2
    assert done.stderr.count("] Iteration 2 (") == 1


def test_a_uid_is_bytes_and_another_each_time() -> None:
    assert caffe.has_nccl()
    assert isinstance(caffe.NCCL.new_uid(), bytes)
    assert caffe.NCCL.new_uid() != caffe.NCCL.new_uid()


@pytest.mark.usefixtures("folder")
def test_a_uid_of_another_kind_or_a_rank_too_high_is_refused() -> None:
    write_solver("one", batch=4, iter_size=1)
    solver = caffe.SGDSolver("one.prototxt.solver")

    with pytest.raises(TypeError, match="what NCCL"):
        caffe.NCCL(solver, "uid")  # type: ignore[arg-type]  # what is refused
    caffe.set_solver_rank(1)
    try:
        with pytest.raises(ValueError, match="the rank is 1, and the count of solvers 1"):
            caffe.NCCL(solver, caffe.NCCL.new_uid())
    finally:
        caffe.set_solver_rank(0)
