"""Nets written in Python: what their prototxts say, and what a mistake is called."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caffepy.pycaffe as caffe
from caffepy.errors import NetError
from caffepy.proto import LayerParameter, NetParameter, PoolingParameter
from caffepy.proto.text import parse_text
from caffepy.pycaffe import layers as L
from caffepy.pycaffe import params as P
from caffepy.pycaffe.net_spec import Function, Top


def parsed(text: str) -> NetParameter:
    return parse_text(text.encode(), NetParameter, "expected")[0]


def data() -> Top:
    top: Top = L.Input(shape={"dim": [2, 3, 4, 5]})
    return top


def test_a_net_is_its_blobs_by_name() -> None:
    n = caffe.NetSpec()
    n.data, n.label = L.DummyData(shape=[{"dim": [2, 3, 4, 5]}, {"dim": 2}], ntop=2)
    n.conv1 = L.Convolution(
        n.data,
        kernel_size=3,
        num_output=7,
        weight_filler={"type": "xavier"},
        param=[{"lr_mult": 1}, {"lr_mult": 2, "decay_mult": 0}],
    )
    n.relu1 = L.ReLU(n.conv1, in_place=True)
    n["pool1"] = L.Pooling(n.relu1, kernel_size=2, stride=2, pool=P.Pooling.AVE)
    n.loss = L.SoftmaxWithLoss(n.pool1, n.label, loss_weight=2, include={"phase": caffe.TRAIN})

    assert n.to_proto() == parsed("""
        layer { name: "data" type: "DummyData" top: "data" top: "label"
          dummy_data_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } shape { dim: 2 } } }
        layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
          param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
          convolution_param { num_output: 7 kernel_size: 3 weight_filler { type: "xavier" } } }
        layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
        layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
          pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "pool1" bottom: "label" top: "loss"
          loss_weight: 2 include { phase: TRAIN } }
    """)


def test_what_has_no_name_is_numbered_by_type() -> None:
    images, labels = L.DummyData(shape={"dim": 2}, ntop=2)
    first = L.ReLU(L.InnerProduct(images, num_output=3), in_place=True)
    second = L.ReLU(L.InnerProduct(first, num_output=4))

    net = caffe.to_proto(L.SoftmaxWithLoss(second, labels), L.Silence(second, ntop=0))

    assert [(layer.name, [*layer.bottom], [*layer.top]) for layer in net.layer] == [
        ("DummyData1", [], ["DummyData1", "DummyData2"]),
        ("InnerProduct1", ["DummyData1"], ["InnerProduct1"]),
        ("ReLU1", ["InnerProduct1"], ["InnerProduct1"]),
        ("InnerProduct2", ["InnerProduct1"], ["InnerProduct2"]),
        ("ReLU2", ["InnerProduct2"], ["ReLU2"]),
        ("SoftmaxWithLoss1", ["ReLU2", "DummyData2"], ["SoftmaxWithLoss1"]),
        ("Silence1", ["ReLU2"], []),
    ]


def test_one_top_gives_what_it_needs_alone() -> None:
    n = caffe.NetSpec()
    n.data = data()
    n.used, n.unused = L.ReLU(n.data), L.TanH(n.data)

    assert [layer.type for layer in n.used.to_proto().layer] == ["Input", "ReLU"]
    assert [layer.name for layer in n.to_proto().layer] == ["data", "used", "unused"]


def test_a_layer_may_be_named_apart_from_its_top() -> None:
    n = caffe.NetSpec()
    n.blob = L.Input(shape={"dim": 3}, name="layer")

    (layer,) = n.to_proto().layer
    assert (layer.name, [*layer.top]) == ("layer", ["blob"])


def test_a_spec_is_a_mapping_of_blobs() -> None:
    n = caffe.NetSpec()
    n.data = data()
    n.ip = L.InnerProduct(n["data"], num_output=3)
    n.silence = L.Silence(n.ip, ntop=0)
    n.update("ip", {"num_output": 4, "bias_term": False})

    assert (n.keys(), n.vals()) == (["data", "ip", "silence"], [n.data, n.ip, n.silence])
    assert list(n.tops) == n.keys()
    assert (n.ip.fn.type_name, n.ip.n, n.ip.fn.inputs) == ("InnerProduct", 0, (n.data,))
    assert isinstance(n.silence, Function)
    assert n.to_proto().layer[1].inner_product_param.num_output == 4
    assert copy.copy(n).keys() == n.keys()

    del n["silence"]
    assert [layer.name for layer in n.to_proto().layer] == ["data", "ip"]


@pytest.mark.parametrize(
    ("spec", "param"),
    [
        pytest.param(
            lambda: L.Python(data(), module="m", layer="C", param_str='{"a": 1}'),
            'python_param { module: "m" layer: "C" param_str: "{\\"a\\": 1}" }',
            id="strings",
        ),
        pytest.param(
            lambda: L.Pooling(data(), pool="AVE"), "pooling_param { pool: AVE }", id="enum"
        ),
        pytest.param(
            lambda: L.Slice(data(), slice_point=np.array([1, 3])),
            "slice_param { slice_point: 1 slice_point: 3 }",
            id="array",
        ),
        pytest.param(
            lambda: L.Slice(data(), slice_point=np.int64(2)),
            "slice_param { slice_point: 2 }",
            id="one of a repeated field",
        ),
        pytest.param(
            lambda: L.Deconvolution(data(), convolution_param={"kernel_size": (2, 3)}),
            "convolution_param { kernel_size: 2 kernel_size: 3 }",
            id="message by name",
        ),
        pytest.param(
            lambda: L.Deconvolution(data(), num_output=3),
            "convolution_param { num_output: 3 }",
            id="message of another type",
        ),
        pytest.param(
            lambda: L.Normalize(data(), eps=0.5), "norm_param { eps: 0.5 }", id="odd name"
        ),
        pytest.param(lambda: L.ReLU(data(), relu_param={}), "", id="empty dict"),
    ],
)
def test_settings_go_where_they_belong(spec: Callable[[], Top], param: str) -> None:
    layer = spec().to_proto().layer[1]

    expected = parse_text(param.encode(), LayerParameter, "expected")[0]
    expected.name, expected.type, expected.bottom[:] = layer.name, layer.type, layer.bottom
    expected.top[:] = layer.top
    assert layer == expected


def test_enums_are_numbers() -> None:
    assert P.Pooling.STOCHASTIC == PoolingParameter.STOCHASTIC == 2
    assert "MAX" in dir(P.Pooling)
    assert "Convolution" in dir(L)


def test_what_is_written_is_what_a_net_reads(tmp_path: Path) -> None:
    n = caffe.NetSpec()
    n.data = data()
    n.ip = L.InnerProduct(n.data, num_output=6, weight_filler={"type": "xavier"})
    path = tmp_path / "net.prototxt"
    path.write_text(str(n.to_proto()))

    net = caffe.Net(str(path), caffe.TEST)

    assert net.forward()["ip"].shape == (2, 6)


def written(n: caffe.NetSpec, spec: Callable[[Any], Top]) -> NetParameter:
    n.x = spec(n)
    return n.to_proto()


@pytest.mark.parametrize(
    ("spec", "kind", "message"),
    [
        pytest.param(
            lambda _: L.Convolutoin,
            AttributeError,
            "unknown layer type 'Convolutoin'; did you mean 'Convolution'",
            id="type",
        ),
        pytest.param(
            lambda n: L.Convolution(n.data, kernal_size=3),
            AttributeError,
            r"layer 'x' \(Convolution\): no field 'kernal_size'; did you mean 'kernel_size'",
            id="field",
        ),
        pytest.param(
            lambda n: L.ReLU(n.data, botom="y"),
            AttributeError,
            "no field 'botom'; did you mean 'bottom'",
            id="field of every layer",
        ),
        pytest.param(
            lambda n: L.Bias(n.data, filler={"tipe": "xavier"}),
            AttributeError,
            r"layer 'x' \(Bias\): FillerParameter has no field 'tipe'; did you mean 'type'",
            id="nested field",
        ),
        pytest.param(
            lambda _: P.Poling,
            AttributeError,
            "no message 'PolingParameter'; did you mean 'PoolingParameter'",
            id="message",
        ),
        pytest.param(
            lambda _: P.Pooling.MIX, AttributeError, "did you mean 'MAX'", id="enum value"
        ),
        pytest.param(
            lambda n: L.Pooling(n.data, pool="MIX"),
            AttributeError,
            "PoolMethod has no value 'MIX'; did you mean 'MAX'",
            id="enum value as a string",
        ),
        pytest.param(
            lambda n: L.InnerProduct(n.data, num_output="many"),
            TypeError,
            r"layer 'x' \(InnerProduct\): InnerProductParameter.num_output cannot be 'many'",
            id="value",
        ),
        pytest.param(
            lambda n: L.InnerProduct(n.data, num_output=-1),
            TypeError,
            "num_output cannot be -1: Value out of range",
            id="value out of range",
        ),
        pytest.param(
            lambda n: L.Bias(n.data, filler="xavier"),
            TypeError,
            "filler cannot be 'xavier': it is a message, and takes a dict",
            id="message that is none",
        ),
        pytest.param(
            lambda n: L.Silence((n.data, n.data), ntop=0),
            TypeError,
            r"Silence input 0 is not a Top \(type is <class 'tuple'>\)",
            id="tops not taken apart",
        ),
        pytest.param(
            lambda n: n.dat,
            AttributeError,
            "no blob 'dat' in this NetSpec; did you mean 'data'",
            id="blob",
        ),
    ],
)
def test_mistakes(spec: Callable[[Any], Top], kind: type[Exception], message: str) -> None:
    n = caffe.NetSpec()
    n.data = data()

    with pytest.raises(kind, match=message) as raised:
        written(n, spec)

    assert isinstance(raised.value, NetError) is (kind is AttributeError)
