from pathlib import Path

import numpy as np
import pytest

import caffepy.pycaffe as caffe
from caffepy.errors import NetError, ParseError
from tests.layers.user_classes import python_layer, write_classes

TEXT = """
name: "classifier"
force_backward: true
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
        inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "ip" top: "ip" include { stage: "rectified" } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
"""


@pytest.fixture
def prototxt(tmp_path: Path) -> str:
    path = tmp_path / "deploy.prototxt"
    path.write_text(TEXT)
    return str(path)


def test_the_names_are_pycaffes(prototxt: str) -> None:
    net = caffe.Net(prototxt, caffe.TEST)

    assert net.name == "classifier"
    assert list(net.blobs) == ["data", "ip", "prob"]
    assert (net.inputs, net.outputs) == (["data"], ["prob"])
    assert net._layer_names == ["data", "ip", "prob"]
    assert [layer.type for layer in net.layers] == ["Input", "InnerProduct", "Softmax"]
    assert list(net.params) == ["ip"]
    assert [blob.data.shape for blob in net.params["ip"]] == [(4, 3), (4,)]
    assert len(net.layer_dict["ip"].blobs) == 2
    assert net.top_names["ip"] == ["ip"]
    assert net.bottom_names["prob"] == ["ip"]


def test_forward_takes_inputs_and_gives_live_outputs(prototxt: str) -> None:
    net = caffe.Net(prototxt, caffe.TEST)
    x = np.random.default_rng(0).normal(size=(2, 3))

    outputs = net.forward(blobs=["ip"], data=x)

    weight, bias = (blob.data for blob in net.params["ip"])
    scores = x @ weight.T + bias
    np.testing.assert_allclose(outputs["ip"], scores, rtol=1e-5)
    expected = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    np.testing.assert_allclose(outputs["prob"], expected, rtol=1e-5)

    net.blobs["data"].data[...] = 0
    net.forward()
    np.testing.assert_allclose(outputs["prob"], np.full((2, 4), 0.25))


def test_what_is_written_into_params_counts(prototxt: str) -> None:
    net = caffe.Net(prototxt, caffe.TEST)
    weight, bias = (blob.data for blob in net.params["ip"])

    weight[...] = 0
    bias[...] = [1, 2, 3, 4]

    assert net.forward(end="ip")["ip"].tolist() == [[1, 2, 3, 4]] * 2


def test_backward_takes_diffs_and_gives_those_of_the_inputs(prototxt: str) -> None:
    net = caffe.Net(prototxt, caffe.TEST)
    net.forward(data=np.ones((2, 3)))
    diff = np.arange(8).reshape(2, 4)
    net.blobs["ip"].diff[...] = diff

    gradients = net.backward(start="ip", diffs=["ip"])

    np.testing.assert_allclose(gradients["data"], diff @ net.params["ip"][0].data, rtol=1e-6)
    np.testing.assert_array_equal(gradients["ip"], diff)


def test_stages_choose_layers(prototxt: str) -> None:
    net = caffe.Net(prototxt, caffe.TEST, stages=["rectified"])

    assert net._layer_names == ["data", "ip", "relu", "prob"]


def test_weights_come_and_go_by_layer_name(prototxt: str, tmp_path: Path) -> None:
    path = str(tmp_path / "net.caffemodel")
    trained = caffe.Net(prototxt, caffe.TEST)
    trained.save(path)

    for net in (
        caffe.Net(prototxt, caffe.TEST, weights=path),
        caffe.Net(prototxt, path, caffe.TEST),
    ):
        np.testing.assert_array_equal(net.params["ip"][0].data, trained.params["ip"][0].data)


def test_nets_share_parameters(prototxt: str) -> None:
    one, other = caffe.Net(prototxt, caffe.TEST), caffe.Net(prototxt, caffe.TEST)
    one.share_with(other)

    other.params["ip"][1].data[...] = 9

    assert one.params["ip"][1].data.tolist() == [9] * 4


def test_another_batch_size(prototxt: str) -> None:
    net = caffe.Net(prototxt, caffe.TEST)
    net.blobs["data"].reshape(5, 3)

    net.reshape()

    assert net.blobs["prob"].data.shape == (5, 4)
    assert net.forward(data=np.ones((5, 3)))["prob"].shape == (5, 4)


def test_mistakes_are_exceptions(prototxt: str, tmp_path: Path) -> None:
    net = caffe.Net(prototxt, caffe.TEST)
    with pytest.raises(ValueError, match=r"no layer 'pro'; did you mean 'prob'"):
        net.forward(end="pro")
    with pytest.raises(ValueError, match=r"inputs \['dat'\] given, the net's are \['data'\]"):
        net.forward(dat=np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"shape \(7, 3\), but its batch size is \(2,\)"):
        net.forward(data=np.zeros((7, 3)))
    with pytest.raises(ParseError, match=r"missing\.prototxt"):
        caffe.Net(str(tmp_path / "missing.prototxt"), caffe.TEST)
    (tmp_path / "wrong.prototxt").write_text(
        'layer { name: "x" type: "ReLU" bottom: "y" top: "x" }'
    )
    with pytest.raises(NetError, match="Unknown bottom blob 'y'"):
        caffe.Net(str(tmp_path / "wrong.prototxt"), caffe.TEST)


def test_a_python_layer_is_seen_as_the_object_of_its_class(user_folder: Path) -> None:
    write_classes(user_folder)
    scaled = python_layer("scaled", "Scaled", 'bottom: "data" top: "y"', '{"start": 2}')
    Path("net.prototxt").write_text(f"{TEXT} layer {{ {scaled} }}")
    net = caffe.Net("net.prototxt", caffe.TRAIN)
    layer = net.layer_dict["scaled"]

    net.forward(data=np.ones((2, 3)))
    net.backward(y=np.ones((2, 3)), prob=np.ones((2, 4)))

    assert isinstance(layer, caffe.Layer)
    assert (layer.type, layer.phase) == ("Python", caffe.TRAIN)
    assert net.blobs["y"].data.tolist() == [[2, 2, 2]] * 2
    assert net.blobs["data"].count == 6
    assert layer.blobs[0].diff.tolist() == net.params["scaled"][0].diff.tolist() == [6]
    layer.blobs[0].data[0] = 5
    assert net.params["scaled"][0].data.tolist() == [5]


def test_blobs_of_a_python_layer_come_and_go_with_the_weights(user_folder: Path) -> None:
    write_classes(user_folder)
    for start in (2, 7):
        scaled = python_layer("scaled", "Scaled", 'bottom: "x" top: "y"', f'{{"start": {start}}}')
        x = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 } } }'
        Path(f"{start}.prototxt").write_text(f"{x} layer {{ {scaled} }}")
    two, seven = (caffe.Net(f"{start}.prototxt", caffe.TEST) for start in (2, 7))
    two.save("two.caffemodel")

    seven.copy_from("two.caffemodel")

    assert seven.params["scaled"][0].data.tolist() == [2]
