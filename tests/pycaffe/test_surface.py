"""What scripts of Caffe's find in its Python module, name by name."""

import inspect
from pathlib import Path

import pytest

import caffepy.pycaffe as caffe

SOLVERS = ["SGDSolver", "NesterovSolver", "AdaGradSolver", "RMSPropSolver", "AdaDeltaSolver"]
MODULE = [
    *("Net", *SOLVERS, "AdamSolver", "NCCL", "Timer", "Layer", "get_solver", "init_log", "log"),
    *("set_mode_cpu", "set_mode_gpu", "set_device", "set_random_seed", "solver_count"),
    *("set_solver_count", "solver_rank", "set_solver_rank", "set_multiprocess", "has_nccl"),
    *("TRAIN", "TEST", "proto", "__version__", "layer_type_list", "Classifier", "Detector", "io"),
    *("layers", "params", "NetSpec", "to_proto"),
]
NET = [
    *("blobs", "params", "layers", "layer_dict", "inputs", "outputs", "top_names", "bottom_names"),
    *("blob_loss_weights", "_blob_names", "_layer_names", "_inputs", "_outputs", "_blobs"),
    *("_blob_loss_weights", "_top_ids", "_bottom_ids", "_forward", "_backward", "_batch"),
    *("forward", "backward", "forward_all", "forward_backward_all", "reshape", "copy_from"),
    *("share_with", "save", "save_hdf5", "load_hdf5", "set_input_arrays", "clear_param_diffs"),
    *("before_forward", "after_forward", "before_backward", "after_backward"),
]
BLOB = ["data", "diff", "shape", "num", "channels", "height", "width", "count", "reshape"]
SOLVER = [
    *("net", "test_nets", "iter", "step", "solve", "restore", "snapshot", "share_weights"),
    *("apply_update", "add_callback", "lr", "param"),
]
SETTINGS = ["max_iter", "display", "layer_wise_reduce", "base_lr"]

NET_TEXT = """
force_backward: true
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
        inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
"""
SOLVER_TEXT = 'net: "net.prototxt" base_lr: 0.5 lr_policy: "fixed" max_iter: 3 display: 2'


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(NET_TEXT)
    Path("solver.prototxt").write_text(SOLVER_TEXT)


def missing(thing: object, names: list[str]) -> list[str]:
    return [name for name in names if not hasattr(thing, name)]


def test_the_module_has_the_names() -> None:
    assert missing(caffe, MODULE) == []
    assert (caffe.TRAIN, caffe.TEST, caffe.__version__) == (0, 1, "1.0.0")
    assert not hasattr(caffe, "Nett")


def test_the_module_is_found_where_it_is_in_caffe() -> None:
    assert caffe._caffe is caffe.pycaffe is caffe
    assert caffe.io.caffe_pb2 is caffe.proto.caffe_pb2


def test_a_net_its_layers_and_its_blobs_have_the_names() -> None:
    net = caffe.Net("net.prototxt", caffe.TEST)

    assert missing(net, NET) == []
    assert missing(net.blobs["x"], BLOB) == missing(net.params["ip"][0], BLOB) == []
    assert missing(net.layers[1], ["blobs", "type"]) == []
    assert missing(caffe.Layer, ["setup", "reshape", "forward", "backward"]) == []


@pytest.mark.parametrize("name", [*SOLVERS, "AdamSolver"])
def test_solvers_have_the_names(name: str) -> None:
    solver = getattr(caffe, name)("solver.prototxt")

    assert missing(solver, SOLVER) == missing(solver.param, SETTINGS) == []
    assert [getattr(solver.param, setting) for setting in SETTINGS] == [3, 2, True, 0.5]


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (caffe.Net, ["network_file", "phase", "level", "stages", "weights"]),
        (caffe.Net.forward, ["self", "blobs", "start", "end", "inputs"]),
        (caffe.Net.backward, ["self", "diffs", "start", "end", "tops"]),
        (caffe.Net.forward_all, ["self", "blobs", "inputs"]),
        (caffe.Net.forward_backward_all, ["self", "blobs", "diffs", "arrays"]),
        (caffe.Net._forward, ["self", "start", "end"]),
        (caffe.Net._backward, ["self", "start", "end"]),
        (caffe.Net.set_input_arrays, ["self", "data", "labels"]),
        (caffe.SGDSolver.add_callback, ["self", "on_start", "on_gradients_ready"]),
        (caffe.SGDSolver.solve, ["self", "resume_file"]),
        (caffe.NCCL, ["solver", "uid"]),
        (caffe.init_log, ["level", "stderr"]),
        (caffe.Layer.setup, ["self", "bottom", "top"]),
        (caffe.Layer.reshape, ["self", "bottom", "top"]),
        (caffe.Layer.forward, ["self", "bottom", "top"]),
        (caffe.Layer.backward, ["self", "top", "propagate_down", "bottom"]),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_arguments_have_the_order(call: object, names: list[str]) -> None:
    assert callable(call)
    assert list(inspect.signature(call).parameters) == names
