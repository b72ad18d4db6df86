from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import caffepy.pycaffe as caffe
from caffepy.errors import SnapshotError, SolverError
from tests.layers.user_classes import python_layer, write_classes

Wrong: Any = caffe.SGDSolver  # which gets what scripts may give
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
def test_a_step_leaves_what_it_takes_off_the_parameters_in_their_diffs() -> None:
    solver = caffe.get_solver("solver.prototxt")
    weight = solver.net.params["ip"][0]
    gradients = []
    solver.add_callback(lambda: None, lambda: gradients.append(weight.diff.copy()))
    before = weight.data.copy()

    solver.step(1)

    assert isinstance(solver, caffe.SGDSolver)
    assert solver.iter == 1
    np.testing.assert_allclose(weight.data, before - weight.diff, rtol=1e-5)
    np.testing.assert_allclose(weight.diff, 0.1 * gradients[0], rtol=1e-4, atol=1e-7)


@pytest.mark.usefixtures("folder")
def test_single_steps_need_no_end_and_no_place_for_the_last_snapshot() -> None:
    text = SOLVER.replace("max_iter: 6 ", "").replace('"snap"', '"out/snap"')
    Path("solver.prototxt").write_text(text)
    solver = caffe.SGDSolver("solver.prototxt")

    solver.step(2)

    assert solver.iter == 2
    with pytest.raises(SolverError, match="max_iter is missing: it says when `solve` ends"):
        solver.solve()
    solver.param.max_iter = 4
    with pytest.raises(SnapshotError, match="Cannot write to snapshot prefix 'out/snap'"):
        solver.solve()
    assert solver.iter == 2


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


@pytest.mark.usefixtures("folder")
def test_calls_come_before_the_pass_and_before_the_update() -> None:
    solver = caffe.SGDSolver("solver.prototxt")
    weight = solver.net.params["ip"][0]
    seen: list[tuple[str, int]] = []

    def halve() -> None:
        seen.append(("ready", solver.iter))
        weight.diff[...] = 1

    solver.add_callback(lambda: seen.append(("start", solver.iter)), halve)
    before = weight.data.copy()
    solver.step(2)

    assert seen == [("start", 0), ("ready", 0), ("start", 1), ("ready", 1)]
    np.testing.assert_allclose(weight.data, before - 0.1 - 0.19, rtol=1e-5)
    with pytest.raises(TypeError, match="two functions are needed"):
        solver.add_callback(lambda: None)


@pytest.mark.usefixtures("folder")
def test_the_rate_follows_the_settings() -> None:
    solver = caffe.SGDSolver("solver.prototxt")
    assert (solver.param.max_iter, solver.param.display) == (6, 0)
    assert solver.lr == np.float32(0.1)

    solver.param.base_lr = 0.5

    weight = solver.net.params["ip"][0]
    gradients = []
    solver.add_callback(lambda: None, lambda: gradients.append(weight.diff.copy()))
    before = weight.data.copy()
    solver.step(1)
    assert solver.lr == 0.5
    np.testing.assert_allclose(weight.data, before - 0.5 * gradients[0], rtol=1e-5)


@pytest.mark.usefixtures("folder")
def test_asking_for_the_rate_counts_steps() -> None:
    Path("solver.prototxt").write_text(
        SOLVER.replace('"fixed"', '"multistep" gamma: 0.5 stepvalue: 0 stepvalue: 0')
    )
    solver = caffe.SGDSolver("solver.prototxt")

    assert [solver.lr, solver.lr, solver.lr] == pytest.approx([0.05, 0.025, 0.025])


@pytest.mark.usefixtures("folder")
def test_before_any_pass_the_gradients_are_zeros() -> None:
    solver = caffe.SGDSolver("solver.prototxt")
    weight, bias = (blob.data for blob in solver.net.params["ip"])
    before = weight.copy()
    solver.net.params["ip"][1].diff[...] = 2

    solver.apply_update()

    np.testing.assert_array_equal(weight, before)
    np.testing.assert_allclose(bias, [-0.2] * 3, rtol=1e-6)


@pytest.mark.usefixtures("folder")
def test_another_net_takes_the_weights() -> None:
    solver, net = caffe.SGDSolver("solver.prototxt"), caffe.Net("net.prototxt", caffe.TEST)

    solver.share_weights(net)

    assert np.shares_memory(net.params["ip"][0].data, solver.net.params["ip"][0].data)


@pytest.mark.usefixtures("folder")
def test_nets_outlive_their_solver() -> None:
    solver = caffe.SGDSolver("solver.prototxt")
    solver.step(1)
    nets = [solver.net, *solver.test_nets]

    del solver

    for net in nets:
        assert net.forward()["loss"] > 0


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: Wrong(3), TypeError),
        (lambda: caffe.get_solver("missing.prototxt"), RuntimeError),
        (lambda: Wrong("solver.prototxt").step("2"), TypeError),
        (lambda: caffe.SGDSolver("solver.prototxt").restore("missing.solverstate"), RuntimeError),
        (lambda: caffe.SGDSolver("solver.prototxt").solve("net.prototxt"), RuntimeError),
    ],
    ids=["number", "missing file", "text", "missing state", "no state"],
)
@pytest.mark.usefixtures("folder")
def test_mistakes_are_exceptions(call: Callable[[], object], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        call()


PYTHON_NET = """
layer {{ {train} include {{ phase: TRAIN }} }}
layer {{ {test} include {{ phase: TEST }} }}
layer {{ {scaled} }}
layer {{ name: "ip" type: "InnerProduct" bottom: "s" top: "ip"
        inner_product_param {{ num_output: 2 weight_filler {{ type: "xavier" }} }} }}
layer {{ {loss} loss_weight: 1 }}
layer {{ {watch} }}
"""


def test_python_layers_train_with_their_state(user_folder: Path) -> None:
    write_classes(user_folder)
    Path("net.prototxt").write_text(
        PYTHON_NET.format(
            train=python_layer("train", "Rows", 'top: "x" top: "y"'),
            test=python_layer("test", "Rows", 'top: "x" top: "y"'),
            scaled=python_layer("scaled", "Scaled", 'bottom: "x" top: "s"', '{"start": 0.5}'),
            loss=python_layer("loss", "EuclideanLoss", 'bottom: "ip" bottom: "y" top: "loss"'),
            watch=python_layer("watch", "Watch", 'bottom: "x"'),
        )
    )
    Path("solver.prototxt").write_text(
        SOLVER.replace("test_interval: 100", "test_interval: 50").replace("0.1 ", "0.01 ")
    )
    solver = caffe.SGDSolver("solver.prototxt")
    (test_net,) = solver.test_nets
    first = test_net.forward()["loss"].item()

    solver.step(200)

    assert solver.net.blobs["loss"].data.item() < 0.01 < first
    assert solver.net.params["scaled"][0].data != 0.5
    assert isinstance(test_net.layer_dict["scaled"], caffe.Layer)
    assert test_net.layer_dict["scaled"].blobs[0].data == solver.net.params["scaled"][0].data
    for net, name, batches in ((solver.net, "train", 200), (test_net, "test", 1 + 3 * 2)):
        assert vars(net.layer_dict[name])["batches"] == batches
        assert len(vars(net.layer_dict["watch"])["seen"]) == batches
