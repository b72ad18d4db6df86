import gc
from pathlib import Path
from typing import Any

import h5py
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
        caffe.Net(prototxt, caffe.TEST, 0, None, path),
        caffe.Net(prototxt, path, caffe.TEST),
    ):
        np.testing.assert_array_equal(net.params["ip"][0].data, trained.params["ip"][0].data)


def test_parameters_come_and_go_in_hdf5(prototxt: str, tmp_path: Path) -> None:
    path = str(tmp_path / "net.caffemodel.h5")
    trained, other = caffe.Net(prototxt, caffe.TEST), caffe.Net(prototxt, caffe.TEST)
    trained.save_hdf5(path)

    other.load_hdf5(path)

    np.testing.assert_array_equal(other.params["ip"][0].data, trained.params["ip"][0].data)
    with h5py.File(path) as file:
        assert list(file["data"]) == ["data", "ip", "prob"]


def test_nets_share_parameters(prototxt: str) -> None:
    one, other = caffe.Net(prototxt, caffe.TEST), caffe.Net(prototxt, caffe.TEST)
    one.share_with(other)

    other.params["ip"][1].data[...] = 9

    assert one.params["ip"][1].data.tolist() == [9] * 4


def test_a_script_may_call_a_net_as_it_likes(prototxt: str) -> None:
    net = caffe.Net(prototxt, caffe.TEST)

    net.name = "vgg_iter_70000"

    assert net.name == "vgg_iter_70000"
    assert caffe.Net(prototxt, caffe.TEST).name == "classifier"


def test_another_batch_size(prototxt: str) -> None:
    net = caffe.Net(prototxt, caffe.TEST)
    net.blobs["data"].reshape(5, 3)

    net.reshape()

    assert net.blobs["prob"].data.shape == (5, 4)
    assert net.forward(data=np.ones((5, 3)))["prob"].shape == (5, 4)


def test_numbers_stand_for_names(prototxt: str) -> None:
    net = caffe.Net(prototxt, caffe.TEST, stages=["rectified"])

    assert net._blob_names == ["data", "ip", "prob"]
    assert [id(blob) for blob in net._blobs] == [id(net.blobs[name]) for name in net._blob_names]
    assert (net._inputs, net._outputs) == ([0], [2])
    assert [net._bottom_ids(layer) for layer in range(4)] == [[], [0], [1], [1]]
    assert [net._top_ids(layer) for layer in range(4)] == [[0], [1], [1], [2]]
    assert net._forward(0, 3) == 0.0


def test_loss_weights_are_by_blob(tmp_path: Path) -> None:
    path = tmp_path / "loss.prototxt"
    loss = 'layer { name: "l" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" '
    label = 'layer { name: "y" type: "Input" top: "label" input_param { shape { dim: 2 } } }'
    text = TEXT.replace('type: "Softmax"', 'type: "Softmax" exclude {}')
    path.write_text(f"{text} {label} {loss} loss_weight: 2.5 }}")

    net = caffe.Net(path, caffe.TRAIN)

    assert dict(net.blob_loss_weights)["loss"] == 2.5
    assert sum(net.blob_loss_weights.values()) == 2.5
    assert list(net.blob_loss_weights) == list(net.blobs)
    assert net._forward(0, len(net.layers) - 1) == 2.5 * net.blobs["loss"].data


def test_calls_see_each_layer_before_and_after(prototxt: str) -> None:
    net = caffe.Net(prototxt, caffe.TEST)
    seen: list[tuple[str, int, bool]] = []
    net.blobs["prob"].data[...] = 0
    net.before_forward(lambda layer: seen.append(("->", layer, bool(net.blobs["prob"].data.any()))))
    net.after_forward(lambda layer: seen.append((">-", layer, bool(net.blobs["prob"].data.any()))))
    net.before_backward(lambda layer: seen.append(("<-", layer, True)))
    net.after_backward(lambda layer: seen.append(("-<", layer, True)))

    net.forward(start="ip")
    net.backward(end="ip")

    assert seen == [
        *[("->", 1, False), (">-", 1, False), ("->", 2, False), (">-", 2, True)],
        *[("<-", 2, True), ("-<", 2, True), ("<-", 1, True), ("-<", 1, True)],
    ]


def test_diffs_of_parameters_add_up_until_they_are_cleared(prototxt: str) -> None:
    net = caffe.Net(prototxt, caffe.TEST)
    diff = net.params["ip"][1].diff
    net.forward(data=np.ones((2, 3)))
    net.blobs["ip"].diff[...] = 1
    net.backward(start="ip")
    net.backward(start="ip")
    assert diff.tolist() == [4] * 4

    net.clear_param_diffs()

    assert not diff.any()


def test_any_number_of_items_runs_in_batches(prototxt: str) -> None:
    net = caffe.Net(prototxt, caffe.TEST)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    singly = [net.forward(data=np.stack([row, row]))["prob"][0].copy() for row in x]

    found = net.forward_all(blobs=["ip"], data=x)

    np.testing.assert_allclose(found["prob"], singly, rtol=1e-5)
    weight, bias = (blob.data for blob in net.params["ip"])
    np.testing.assert_allclose(found["ip"], x @ weight.T + bias, rtol=1e-5)


def test_any_number_of_items_runs_forwards_and_backwards(prototxt: str) -> None:
    net = caffe.Net(prototxt, caffe.TEST)
    rng = np.random.default_rng(0)
    x, diff = rng.normal(size=(5, 3)), rng.normal(size=(5, 4))

    data, diffs = net.forward_backward_all(diffs=["ip"], data=x, prob=diff)

    prob = data["prob"]
    below = prob * (diff - (prob * diff).sum(1, keepdims=True))
    np.testing.assert_allclose(diffs["ip"], below, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        diffs["data"], below @ net.params["ip"][0].data, rtol=1e-4, atol=1e-6
    )


def test_blobs_outlive_their_net(prototxt: str) -> None:
    net = caffe.Net(prototxt, caffe.TEST)
    net.forward(data=np.ones((2, 3)))
    prob, weight = net.blobs["prob"], net.params["ip"][0]
    before = prob.data.copy()

    del net
    gc.collect()

    np.testing.assert_array_equal(prob.data, before)
    assert weight.data.shape == weight.diff.shape == (4, 3)


CONVNET = """
force_backward: true
layer { name: "data" type: "Input" top: "data"
        input_param { shape { dim: 1 dim: 2 dim: 6 dim: 5 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 3 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "tanh" type: "TanH" bottom: "conv" top: "conv" }
"""
DENSE = """
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
        inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
"""
SLIDING = """
layer { name: "fc_conv" type: "Convolution" bottom: "conv" top: "fc_conv"
        convolution_param { num_output: 4 kernel_h: 4 kernel_w: 3 } }
"""


def convnet(tmp_path: Path, name: str, head: str) -> caffe.Net:
    path = tmp_path / f"{name}.prototxt"
    path.write_text(CONVNET + head)
    return caffe.Net(path, caffe.TEST)


def test_a_classifier_becomes_fully_convolutional(tmp_path: Path) -> None:
    dense = convnet(tmp_path, "dense", DENSE)
    dense.save(str(tmp_path / "dense.caffemodel"))
    sliding = convnet(tmp_path, "sliding", SLIDING)
    sliding.copy_from(str(tmp_path / "dense.caffemodel"))
    for ours, theirs in zip(sliding.params["fc_conv"], dense.params["fc"], strict=True):
        ours.data.flat = theirs.data.flat  # type: ignore[misc]  # scripts do, and numpy lets them
    image = np.random.default_rng(0).normal(size=(1, 2, 8, 9)).astype(np.float32)

    sliding.blobs["data"].reshape(*image.shape)
    found = sliding.forward(data=image)["fc_conv"]

    assert found.shape == (1, 4, 3, 5)
    for y in range(3):
        for x in range(5):
            window = image[:, :, y : y + 6, x : x + 5]
            expected = dense.forward(data=window)["fc"]
            np.testing.assert_allclose(found[:, :, y, x], expected, rtol=1e-4, atol=1e-5)


def test_an_image_climbs_the_gradient_of_a_unit(tmp_path: Path) -> None:
    net = convnet(tmp_path, "dense", DENSE)
    image = net.blobs["data"]
    image.data[...] = np.random.default_rng(0).normal(size=image.shape)
    scores = []
    for _ in range(5):
        scores.append(float(net.forward(end="fc")["fc"][0, 2]))
        net.blobs["fc"].diff[...] = 0
        net.blobs["fc"].diff[0, 2] = 1
        image.data[...] += 0.1 * net.backward(start="fc")["data"]

    assert scores == sorted(scores)
    assert scores[-1] > scores[0] + 0.1


def test_backward_begins_at_any_layer(tmp_path: Path) -> None:
    net = convnet(tmp_path, "dense", DENSE)
    net.forward(data=np.random.default_rng(0).normal(size=(1, 2, 6, 5)))
    net.blobs["conv"].diff[...] = 0
    net.blobs["conv"].diff[0, 1, 2, 0] = 1

    diff = net.backward(start="conv")["data"]

    expected = np.zeros((2, 6, 5))
    expected[:, 2:5, :3] = net.params["conv"][0].data[1]
    np.testing.assert_allclose(diff[0], expected, rtol=1e-5)


def test_an_input_that_does_not_fit_names_the_layer(tmp_path: Path) -> None:
    net = convnet(tmp_path, "dense", DENSE)
    net.blobs["data"].reshape(1, 2, 9, 9)

    with pytest.raises(RuntimeError, match=r"layer 'fc' \(InnerProduct\)"):
        net.forward()
    with pytest.raises(RuntimeError, match=r"layer 'fc' \(InnerProduct\)"):
        net.reshape()
    net.blobs["data"].reshape(1, 2, 6, 5)
    assert net.forward()["fc"].shape == (1, 4)
    with pytest.raises(ValueError, match="sizes are 0 or more"):
        net.blobs["data"].reshape(-1, 2)


def test_mistakes_are_exceptions(prototxt: str, tmp_path: Path) -> None:
    net = caffe.Net(prototxt, caffe.TEST)
    with pytest.raises(ValueError, match=r"no layer 'pro'; did you mean 'prob'"):
        net.forward(end="pro")
    with pytest.raises(ValueError, match=r"inputs \['dat'\] given, the net's are \['data'\]"):
        net.forward(dat=np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"shape \(7, 3\), but its batch size is \(2,\)"):
        net.forward(data=np.zeros((7, 3)))
    with pytest.raises(KeyError, match="no blob 'ipp'; did you mean 'ip'"):
        net.forward(blobs=["ipp"])
    for call in (lambda: net._forward(0, 3), lambda: net._backward(3, 0), lambda: net._top_ids(-1)):
        with pytest.raises(IndexError, match="the net's are 0 to 2"):
            call()
    wrong: Any = prototxt
    with pytest.raises(TypeError, match=r"shared with a Net; '.*' is none"):
        net.share_with(wrong)
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
