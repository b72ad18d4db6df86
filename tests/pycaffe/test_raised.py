import traceback
from pathlib import Path

import pytest

import caffepy.pycaffe as caffe
from caffepy.errors import LayerError
from tests.layers.user_classes import python_layer, write_classes

NET = """
force_backward: true
layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 2 }} }} }}
layer {{ {layer} }}
"""


def net_that_fails(folder: Path, method: str) -> caffe.Net:
    write_classes(folder)
    layer = python_layer("anchors", "Fails", 'bottom: "x" top: "y"', method)
    Path("net.prototxt").write_text(NET.format(layer=layer))
    return caffe.Net("net.prototxt", caffe.TRAIN)


def run_to_and_fro(folder: Path, method: str) -> None:
    net = net_that_fails(folder, method)
    net.forward()
    net.backward()


@pytest.mark.parametrize("method", ["setup", "reshape", "forward", "backward"])
def test_an_exception_of_a_python_layer_is_its_own(user_folder: Path, method: str) -> None:
    with pytest.raises(KeyError, match="anchors") as caught:
        run_to_and_fro(user_folder, method)

    frames = traceback.extract_tb(caught.value.__traceback__)
    assert frames[-1].filename == str(user_folder / "classes.py")
    assert frames[-1].line == 'raise KeyError("anchors")'
    (note,) = caught.value.__notes__
    assert f"layer 'anchors' (Python): classes.Fails.{method}: KeyError" in note
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


STOP = """
import caffe

class NoMoreData(Exception):
    def __init__(self, seen):
        self.seen = seen

class Rows(caffe.Layer):
    def setup(self, bottom, top):
        self.seen = 0

    def reshape(self, bottom, top):
        top[0].reshape(4, 3)

    def forward(self, bottom, top):
        if self.seen == 8:
            raise NoMoreData(self.seen)
        self.seen += 4
        top[0].data[...] = 1
"""


def test_a_script_can_wait_for_an_exception_of_its_own(user_folder: Path) -> None:
    (user_folder / "rows.py").write_text(STOP)
    Path("net.prototxt").write_text(
        'layer { name: "rows" type: "Python" top: "x" '
        'python_param { module: "rows" layer: "Rows" } }\n'
        'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" loss_weight: 1 '
        "inner_product_param { num_output: 2 } }"
    )
    Path("solver.prototxt").write_text(
        'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 9 snapshot_prefix: "s" '
        "snapshot_after_train: false"
    )
    solver = caffe.SGDSolver("solver.prototxt")

    with pytest.raises(Exception, match="8") as caught:
        solver.solve()

    assert type(caught.value).__name__ == "NoMoreData"
    assert caught.value.__dict__["seen"] == 8
    assert solver.iter == 2


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text('layer { name: "x" type: "Inptu" top: "x" }')

    with pytest.raises(RuntimeError, match="'Input'"):
        caffe.Net(str(path), caffe.TEST)


def test_a_missing_module_is_what_python_says_with_a_hint(user_folder: Path) -> None:
    write_classes(user_folder)
    layer = python_layer("p", "Fails", 'bottom: "x" top: "y"').replace("'classes'", "'clases'")
    Path("net.prototxt").write_text(NET.format(layer=layer))

    with pytest.raises(ModuleNotFoundError) as caught:
        caffe.Net("net.prototxt", caffe.TEST)

    assert "did you mean 'classes'?" in caught.value.__notes__[0]
    assert not isinstance(caught.value, LayerError)
