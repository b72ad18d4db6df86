from pathlib import Path

import h5py
import numpy as np
import pytest

import caffepy.pycaffe as caffe
from caffepy.errors import SolverError

NET = """
layer { name: "data" type: "HDF5Data" top: "data" top: "label"
        hdf5_data_param { source: "list.txt" batch_size: 4 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
        inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
SOLVER = """
net: "net.prototxt" test_iter: 2 test_interval: 100 test_initialization: false
base_lr: 0.1 momentum: 0.9 lr_policy: "fixed" max_iter: 6 random_seed: 1 snapshot_prefix: "snap"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    with h5py.File("data.h5", "w") as file:
        file["data"] = rng.normal(size=(8, 5)).astype(np.float32)
        file["label"] = rng.integers(0, 3, 8).astype(np.float32)
    Path("list.txt").write_text("data.h5\n")
    Path("net.prototxt").write_text(NET)
    Path("solver.prototxt").write_text(SOLVER)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_a_step_moves_the_parameters_by_the_rate_times_the_gradient() -> None:
    solver = caffe.get_solver("solver.prototxt")
    weight = solver.net.params["ip"][0]
    before = weight.data.copy()

    solver.step(1)

    assert isinstance(solver, caffe.SGDSolver)
    assert solver.iter == 1
    np.testing.assert_allclose(weight.data, before - 0.1 * weight.diff, rtol=1e-5)


@pytest.mark.usefixtures("folder")
def test_test_nets_see_what_is_learned() -> None:
    solver = caffe.SGDSolver("solver.prototxt")
    (test_net,) = solver.test_nets

    solver.step(2)

    ours, theirs = solver.net.params["ip"][0].data, test_net.params["ip"][0].data
    assert np.shares_memory(ours, theirs)


@pytest.mark.usefixtures("folder")
def test_a_script_can_compute_the_gradient_and_apply_it() -> None:
    solver = caffe.SGDSolver("solver.prototxt")
    solver.net.forward()
    solver.net.backward()
    weight = solver.net.params["ip"][0]
    before, diff = weight.data.copy(), weight.diff.copy()

    solver.apply_update()

    np.testing.assert_allclose(weight.data, before - 0.1 * diff, rtol=1e-5)


def test_solving_from_a_snapshot_ends_as_solving_at_once(folder: Path) -> None:
    whole = caffe.SGDSolver("solver.prototxt")
    whole.step(3)
    whole.snapshot()
    whole.solve()
    assert sorted(path.name for path in folder.glob("snap_iter_3.*")) == [
        "snap_iter_3.caffemodel",
        "snap_iter_3.solverstate",
    ]

    resumed = caffe.SGDSolver("solver.prototxt")
    resumed.solve("snap_iter_3.solverstate")

    assert resumed.iter == 6
    np.testing.assert_array_equal(resumed.net.params["ip"][0].data, whole.net.params["ip"][0].data)


@pytest.mark.usefixtures("folder")
def test_a_wrong_solver_is_an_exception() -> None:
    Path("solver.prototxt").write_text(SOLVER.replace("fixed", "fxed"))

    with pytest.raises(SolverError, match="lr_policy is 'fxed'"):
        caffe.get_solver("solver.prototxt")


@pytest.mark.parametrize("name", ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"])
@pytest.mark.usefixtures("folder")
def test_every_type_has_its_class(name: str) -> None:
    text = SOLVER.replace("momentum: 0.9", "")
    Path("solver.prototxt").write_text(f"{text} type: '{name}'")

    solver = caffe.get_solver("solver.prototxt")
    before = solver.net.params["ip"][0].data.copy()
    solver.step(1)

    assert type(solver) is getattr(caffe, f"{name}Solver")
    assert (solver.net.params["ip"][0].data != before).any()


@pytest.mark.usefixtures("folder")
def test_the_class_decides_whatever_the_file_says() -> None:
    solver = caffe.AdamSolver("solver.prototxt")

    assert len(solver._training.updater.history) == 4
