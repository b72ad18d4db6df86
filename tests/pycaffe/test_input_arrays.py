from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import caffepy.pycaffe as caffe
from caffepy.errors import DataError
from caffepy.pycaffe.input_arrays import put


def test_arrays_are_copied_into_the_memory_of_their_names() -> None:
    memory = {"x": np.zeros((2, 3), np.float32), "y": np.zeros(2, np.float32)}

    put({"y": [1, 2], "x": np.arange(6).reshape(2, 3)}, memory, "inputs")

    assert memory["x"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert memory["y"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"x": [[0, 0, 0]] * 2}, r"inputs \['x'\] given, the net's are \['x', 'y'\]"),
        ({"x": 0, "y": 0, "z": 0}, r"inputs \['x', 'y', 'z'\] given"),
        ({"x": [[0, 0, 0]], "y": [0, 0]}, r"'x' is given with shape \(1, 3\), .* size is \(2,\)"),
        (
            {"x": [[0, 0]] * 2, "y": [0, 0]},
            r"'x' is given with shape \(2, 2\), but is of shape \(2, 3\): could not broadcast",
        ),
    ],
    ids=["missing", "unknown", "batch", "shape"],
)
def test_others_are_refused(values: dict[str, object], text: str) -> None:
    memory = {"x": np.zeros((2, 3), np.float32), "y": np.zeros(2, np.float32)}

    with pytest.raises(ValueError, match=text):
        put(values, memory, "inputs")  # type: ignore[arg-type]  # whatever a script may give


MEMORY = """
layer { name: "in" type: "MemoryData" top: "data" top: "label"
        memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 } }
"""
Floats = NDArray[np.float32]


@pytest.fixture
def memory(tmp_path: Path) -> caffe.Net:
    path = tmp_path / "memory.prototxt"
    path.write_text(MEMORY)
    return caffe.Net(str(path), caffe.TEST)


def rows(count: int) -> Floats:
    return np.arange(count * 60, dtype=np.float32).reshape(count, 3, 4, 5)


@pytest.mark.parametrize("shape", [(4,), (4, 1, 1, 1)], ids=["1 axis", "4 axes"])
def test_input_arrays_are_handed_out_and_may_change(
    memory: caffe.Net, shape: tuple[int, ...]
) -> None:
    data, labels = rows(4), np.arange(4, dtype=np.float32).reshape(shape)
    memory.set_input_arrays(data, labels)

    for first in (0, 2, 0):
        memory.forward()
        np.testing.assert_array_equal(memory.blobs["data"].data, rows(4)[first : first + 2])
        assert memory.blobs["label"].data.tolist() == [[[[first]]], [[[first + 1]]]]
    assert (data == rows(4)).all()
    data[2:] = 7
    memory.forward()
    assert (memory.blobs["data"].data == 7).all()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda x, y: (x.tolist(), y), "data must be a numpy array; it is a list"),
        (lambda x, y: (x.astype(np.float64), y), "data must be float32; they are float64"),
        (lambda x, y: (x, y.astype(int)), "labels must be float32; they are int64"),
        (lambda x, y: (x[..., ::-1], y), "data must be C contiguous"),
        (lambda x, y: (x.reshape(4, 60), y), r"data must be of shape \(n, 3, 4, 5\); .* \(4, 60\)"),
        (lambda x, y: (x.reshape(4, 3, 5, 4), y), r"data must be .* of \(4, 3, 5, 4\)"),
        (lambda x, y: (x, y.reshape(4, 1)), r"labels must be of shape \(n, 1, 1, 1\)"),
        (lambda x, y: (x, y[:2]), "labels of shape .2,. for 4 rows of data"),
        (lambda x, y: (x[:3], y[:3]), "3 rows; a multiple of batch_size, which is 2"),
    ],
    ids=["list", "double", "int", "strides", "axes", "size", "label axes", "labels", "multiple"],
)
def test_other_input_arrays_are_refused(
    memory: caffe.Net, change: Callable[[Floats, Floats], tuple[Floats, Floats]], text: str
) -> None:
    with pytest.raises(DataError, match=text):
        memory.set_input_arrays(*change(rows(4), np.zeros(4, np.float32)))


def test_input_arrays_are_for_memory_data_as_the_first_layer(
    memory: caffe.Net, tmp_path: Path
) -> None:
    path = tmp_path / "other.prototxt"
    path.write_text('layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 } } }')
    with pytest.raises(DataError, match="nothing to read"):
        memory.forward()
    with pytest.raises(DataError, match="first layer is a MemoryData layer; it is of type Input"):
        caffe.Net(str(path), caffe.TEST).set_input_arrays(rows(2), np.zeros(2, np.float32))
