"""Where a coordinate of one blob lies in another, held against which inputs each output sees."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caffepy.pycaffe as caffe
from caffepy.pycaffe import layers as L
from caffepy.pycaffe.coord_map import (
    AxisMismatchException,
    UndefinedMapException,
    compose,
    conv_params,
    coord_map,
    coord_map_from_to,
    crop,
    crop_params,
    inverse,
)
from caffepy.pycaffe.net_spec import Top


def image(*shape: int) -> Top:
    top: Top = L.Input(shape={"dim": list(shape or (1, 2, 31, 37))})
    return top


def numbers(params: Sequence[object]) -> list[float]:
    return [np.asarray(param).item() for param in params]


def middle_of_what_is_seen(net: caffe.Net, top: str, place: int) -> float:
    """The mean row of the inputs that row `place` of a blob depends on."""
    net.forward()
    diff = net.blobs[top].diff
    diff[...] = 0
    diff[0, 0, place] = 1
    net.backward(start=top)
    rows = np.flatnonzero(np.abs(net.blobs["data"].diff).sum((0, 1, 3)))
    return float(rows.mean())


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"kernel_size": 5}, id="kernel"),
        pytest.param({"kernel_size": 3, "stride": 2}, id="stride"),
        pytest.param({"kernel_size": 3, "stride": 2, "pad": 1}, id="pad"),
        pytest.param({"kernel_size": 3, "dilation": 3, "pad": 2}, id="dilation"),
    ],
)
def test_a_convolution_is_where_its_windows_are(settings: dict[str, int], tmp_path: Path) -> None:
    n = caffe.NetSpec()
    n.data = image()
    n.conv = L.Convolution(
        n.data, num_output=1, weight_filler={"type": "constant", "value": 1}, **settings
    )
    path = tmp_path / "net.prototxt"
    path.write_text(f"force_backward: true {n.to_proto()}")
    net = caffe.Net(str(path), caffe.TEST)

    axis, scale, shift = coord_map_from_to(n.conv, n.data)

    assert axis == 1
    for place in (4, 5, 6):  # far from the borders, where windows are cut
        seen = middle_of_what_is_seen(net, "conv", place)
        assert scale * place + shift == pytest.approx(seen)


def test_what_goes_down_and_up_again_is_shifted_alone() -> None:
    data = image()
    pool = L.Pooling(L.Convolution(data, kernel_size=5, pad=2), kernel_size=2, stride=2)
    up = L.Deconvolution(pool, num_output=3, kernel_size=4, stride=2, pad=0)

    axis, scale, shift = coord_map_from_to(up, data)

    # Pooling: the window of output i has its middle at 2 i + 0.5; the deconvolution puts i at
    # 2 i + 1.5.
    assert (axis, scale, shift) == (1, 1, -1)


def test_the_other_way_round_is_the_inverse() -> None:
    data = image()
    conv = L.Convolution(data, kernel_size=7, stride=3)

    there, back = coord_map_from_to(data, conv), coord_map_from_to(conv, data)

    assert back == inverse(there)
    assert compose(there, back) == (1, 1, 0)


@pytest.mark.parametrize("kind", ["ReLU", "Dropout", "Scale", "BatchNorm", "LRN", "Swish"])
def test_layers_without_windows_move_nothing(kind: str) -> None:
    data = image()
    through = getattr(L, kind)(data)

    assert coord_map(through.fn) == (None, 1, 0)
    assert coord_map_from_to(through, data) == (None, 1, 0)


def test_axes_have_their_own_numbers() -> None:
    data = image(1, 2, 31, 37, 41)
    conv = L.Convolution(data, kernel_size=[3, 5, 7], stride=[1, 2, 3], pad=1)

    _, scale, shift = coord_map_from_to(conv, data)

    np.testing.assert_array_equal(scale, [1, 2, 3])
    np.testing.assert_array_equal(shift, [0, 1, 2])


def test_a_crop_shifts_by_its_offset_and_follows_its_first_bottom_alone() -> None:
    data, other = image(), image(1, 2, 5, 5)
    conv = L.Convolution(data, kernel_size=1)

    cropped = L.Crop(conv, other, axis=2, offset=3)

    assert numbers(crop_params(cropped.fn)) == [2, 3]
    assert coord_map_from_to(cropped, data) == (1, 1, 3)
    with pytest.raises(RuntimeError, match="Crop and Input: they are not connected"):
        coord_map_from_to(cropped, other)


def test_crop_computes_the_offset() -> None:
    data = image()
    conv = L.Convolution(data, num_output=3, kernel_size=4, pad=10, stride=2)
    up = L.Deconvolution(conv, num_output=3, kernel_size=4, stride=2)

    cropped = crop(up, data)

    assert cropped.fn.type_name == "Crop"
    assert cropped.fn.inputs == (up, data)
    assert cropped.fn.params == {"crop_param": {"axis": 2, "offset": [10]}}


def test_a_crop_to_a_blob_of_the_same_size_begins_at_0() -> None:
    data = image()

    assert crop(L.ReLU(data), data).fn.params == {"crop_param": {"axis": 2, "offset": [0]}}


def test_settings_may_stand_in_their_message() -> None:
    conv = L.Convolution(image(), convolution_param={"kernel_size": 3, "dilation": 2, "axis": 2})
    pool = L.Pooling(image(), pooling_param={"kernel_size": 3, "stride": 2})

    assert numbers(conv_params(conv.fn)) == [2, 1, 5, 0]
    assert numbers(conv_params(pool.fn)) == [1, 2, 3, 0]


@pytest.mark.parametrize(
    ("align", "kind", "message"),
    [
        pytest.param(
            lambda data: crop(L.Pooling(data, kernel_size=2, stride=2), data),
            AssertionError,
            r"scale mismatch on crop \(a = \[2.\]\)",
            id="scale",
        ),
        pytest.param(
            lambda data: crop(L.Convolution(data, kernel_size=3), data),
            AssertionError,
            r"cannot crop negative offset \(b = \[1.\]\)",
            id="negative",
        ),
        pytest.param(
            lambda data: crop(L.Convolution(data, kernel_size=2, pad=1), data),
            AssertionError,
            r"cannot crop noninteger offset \(b = \[-0.5\]\)",
            id="half a pixel",
        ),
        pytest.param(
            lambda data: crop(image(), data), RuntimeError, "not connected", id="unconnected"
        ),
        pytest.param(
            lambda data: crop(L.InnerProduct(data, num_output=2), data),
            RuntimeError,
            "not connected by spatial layers",
            id="no coordinates",
        ),
        pytest.param(
            lambda data: coord_map(L.InnerProduct(data).fn),
            UndefinedMapException,
            "cannot be followed through InnerProduct",
            id="one layer",
        ),
        pytest.param(
            lambda data: coord_map(L.Pooling(data, global_pooling=True).fn),
            UndefinedMapException,
            "Pooling without kernel_size",
            id="global pooling",
        ),
        pytest.param(
            lambda data: conv_params(L.Convolution(data, kernel_h=3, kernel_w=5).fn),
            AssertionError,
            "kernel_h cannot be mapped",
            id="sizes by axis",
        ),
        pytest.param(
            lambda data: coord_map_from_to(
                L.Convolution(L.Convolution(data, kernel_size=3, axis=2), kernel_size=3), data
            ),
            AxisMismatchException,
            "after axis 1 in one layer and after 2 in another",
            id="axes",
        ),
    ],
)
def test_mistakes(align: Callable[[Top], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        align(image())
