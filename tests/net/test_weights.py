"""Weights into a net and out of it: what is matched, what is refused, what a file then holds."""

import logging
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from google.protobuf.message import Message
from numpy.typing import NDArray

from caffepy.errors import SnapshotError, WeightsError
from caffepy.net.net import Net
from caffepy.net.weights import CopyReport, copy_weights, write_weights
from caffepy.proto import (
    TRAIN,
    BlobProto,
    BlobShape,
    LayerParameter,
    NetParameter,
    V0LayerParameter,
    V1LayerParameter,
    weights_pb2,
)
from caffepy.proto.arrays import to_array, to_blob
from caffepy.proto.files import read_binary, write_binary
from tests.net.nets import net_of

NET = """
name: "tiny"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 4 } } }
layer {
  name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 2 kernel_h: 3 kernel_w: 2 weight_filler { type: "xavier" } }
}
layer {
  name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
  param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  inner_product_param { num_output: 7 weight_filler { type: "xavier" } }
}
"""
CONV_WEIGHT = np.arange(36, dtype=np.float32).reshape(2, 3, 3, 2)
CONV_BIAS = np.array([-1, -2], np.float32)
IP_WEIGHT = np.arange(126, dtype=np.float32).reshape(7, 18)
IP_BIAS = np.arange(7, dtype=np.float32)


def layer(name: str, *blobs: NDArray[np.float32]) -> LayerParameter:
    return LayerParameter(name=name, blobs=[to_blob(blob) for blob in blobs])


def model(path: Path, *layers: LayerParameter) -> Path:
    write_binary(path, NetParameter(name="source", layer=layers))
    return path


def values(net: Net) -> list[list[list[float]]]:
    """The numbers of each layer's blobs."""
    return [
        [blob.flatten().tolist() for blob in net.blobs_of(index)]
        for index in range(len(net.layers))
    ]


def refused(net: Net, path: Path) -> list[str]:
    """What is said of weights that do not fit, less the path; the net is as it was."""
    before = values(net)
    with pytest.raises(WeightsError) as caught:
        copy_weights(net, path)
    assert values(net) == before
    return [line.removeprefix(f"{path}: ") for line in str(caught.value).splitlines()]


def test_blobs_go_to_the_layers_of_their_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    net = net_of(NET)
    storage = [blob.data_ptr() for blob in net.blobs_of(1)]
    path = model(
        tmp_path / "a.caffemodel",
        layer("data"),
        layer("fc8", IP_WEIGHT),
        layer("conv", CONV_WEIGHT, CONV_BIAS),
        layer("prob"),
    )

    with caplog.at_level(logging.INFO, "caffepy.net.weights"):
        report = copy_weights(net, path)

    assert report == CopyReport(copied=("conv",), ignored=("fc8", "prob"), kept=("ip",))
    assert caplog.messages == ["Ignoring source layer fc8", "Ignoring source layer prob"]
    np.testing.assert_array_equal(net.blobs_of(1)[0], CONV_WEIGHT)
    np.testing.assert_array_equal(net.blobs_of(1)[1], CONV_BIAS)
    assert [blob.data_ptr() for blob in net.blobs_of(1)] == storage


def test_a_learning_net_can_be_loaded_and_learns_on(tmp_path: Path) -> None:
    net = net_of(NET, train=True)

    copy_weights(net, model(tmp_path / "a", layer("ip", IP_WEIGHT, IP_BIAS)))

    assert all(entry.param.requires_grad and entry.param.is_leaf for entry in net.learnable)
    np.testing.assert_array_equal(net.learnable[2].param.detach(), IP_WEIGHT)


def legacy(array: NDArray[np.float32]) -> BlobProto:
    """A blob as files of 2013 and 2014 have it: four axes, none of them called shape."""
    num, channels, height, width = (1,) * (4 - array.ndim) + array.shape
    return BlobProto(
        num=num, channels=channels, height=height, width=width, data=array.ravel().tolist()
    )


V0 = NetParameter(
    layers=[
        V1LayerParameter(
            bottom=["conv"],
            layer=V0LayerParameter(
                name="ip", type="innerproduct", blobs=[legacy(IP_WEIGHT), legacy(IP_BIAS)]
            ),
        )
    ]
)
V1 = NetParameter(
    layers=[
        V1LayerParameter(
            name="ip",
            type=V1LayerParameter.INNER_PRODUCT,
            blobs=[legacy(IP_WEIGHT), legacy(IP_BIAS)],
        )
    ]
)
DOUBLES = NetParameter(
    layer=[
        LayerParameter(
            name="ip",
            blobs=[
                BlobProto(shape=BlobShape(dim=array.shape), double_data=array.ravel())
                for array in (IP_WEIGHT, IP_BIAS)
            ],
        )
    ]
)
HALVES = weights_pb2.Net(
    layer=[
        weights_pb2.Layer(
            name="ip",
            blobs=[
                weights_pb2.Blob(
                    shape=weights_pb2.Shape(dim=array.shape),
                    raw_data_type=weights_pb2.Blob.FLOAT16,
                    raw_data=array.astype("<f2").tobytes(),
                )
                for array in (IP_WEIGHT, IP_BIAS)
            ],
        )
    ]
)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(V0, id="V0"),
        pytest.param(V1, id="V1"),
        pytest.param(DOUBLES, id="doubles"),
        pytest.param(HALVES, id="NVIDIA's raw halves"),
    ],
)
def test_weights_of_other_formats_and_forks(tmp_path: Path, message: Message) -> None:
    net = net_of(NET)
    write_binary(tmp_path / "old.caffemodel", message)

    report = copy_weights(net, tmp_path / "old.caffemodel")

    assert report.copied == ("ip",)
    np.testing.assert_array_equal(net.blobs_of(2)[0], IP_WEIGHT)
    np.testing.assert_array_equal(net.blobs_of(2)[1], IP_BIAS)


def hdf5(path: Path, **datasets: NDArray[np.float32]) -> Path:
    """A .caffemodel.h5 of blobs by "layer/index", and of groups for layers without any."""
    with h5py.File(path, "w") as file:
        for name, array in datasets.items():
            file[f"data/{name}"] = array
        file.create_group("data/prob")
    return path


def test_hdf5_is_known_by_its_content(tmp_path: Path) -> None:
    net = net_of(NET)
    path = hdf5(tmp_path / "a.caffemodel", **{"ip/0": IP_WEIGHT, "ip/1": IP_BIAS})

    report = copy_weights(net, path)

    assert report == CopyReport(copied=("ip",), ignored=("prob",), kept=("conv",))
    np.testing.assert_array_equal(net.blobs_of(2)[0], IP_WEIGHT)
    np.testing.assert_array_equal(net.blobs_of(2)[1], IP_BIAS)


SHARED = NET.replace("param { lr_mult: 1 }", 'param { name: "w" }') + (
    'layer { name: "jp" type: "InnerProduct" bottom: "conv" top: "jp" param { name: "w" } '
    "inner_product_param { num_output: 7 bias_term: BIAS } }"
)


@pytest.mark.parametrize("bias", [True, False])
def test_hdf5_has_a_shared_blob_with_its_owner_only(tmp_path: Path, bias: bool) -> None:
    net = net_of(SHARED.replace("BIAS", str(bias).lower()))
    own = {"jp/1": 2 * IP_BIAS} if bias else {}
    path = hdf5(tmp_path / "a.h5", **{"ip/0": IP_WEIGHT, "ip/1": IP_BIAS}, **own)

    report = copy_weights(net, path)

    blobs = net.blobs_of(net.layer_names.index("jp"))
    np.testing.assert_array_equal(blobs[0], IP_WEIGHT)
    if bias:
        np.testing.assert_array_equal(blobs[1], 2 * IP_BIAS)
    assert report.kept == ("conv",)


def test_a_blob_of_the_layers_own_must_be_there(tmp_path: Path) -> None:
    path = hdf5(tmp_path / "a.h5", **{"ip/1": IP_BIAS, "conv/0": CONV_WEIGHT})

    assert refused(net_of(NET), path) == [
        "Incompatible number of blobs for layer conv: 1 in the file, 2 in the net "
        "(net.prototxt:4:1)",
        "Incompatible number of blobs for layer ip: 1 in the file, 2 in the net (net.prototxt:8:1)",
    ]


def test_of_two_layers_of_one_name_the_first_is_meant(tmp_path: Path) -> None:
    twice = net_of(NET.replace('name: "conv" type', 'name: "ip" type'))

    report = copy_weights(twice, model(tmp_path / "a", layer("ip", CONV_WEIGHT, CONV_BIAS)))

    assert report == CopyReport(copied=("ip",), ignored=(), kept=("ip",))
    np.testing.assert_array_equal(twice.blobs_of(1)[0], CONV_WEIGHT)


def test_of_two_layers_of_the_file_the_last_is_meant(tmp_path: Path) -> None:
    net = net_of(NET)
    layers = [layer("ip", IP_WEIGHT, IP_BIAS), layer("ip", 2 * IP_WEIGHT, 3 * IP_BIAS)]

    copy_weights(net, model(tmp_path / "a", *layers))

    np.testing.assert_array_equal(net.blobs_of(2)[0], 2 * IP_WEIGHT)
    np.testing.assert_array_equal(net.blobs_of(2)[1], 3 * IP_BIAS)


def test_layers_that_share_blobs_take_them_once(tmp_path: Path) -> None:
    shared = NET.replace("param { lr_mult: 1 }", 'param { name: "w" }') + (
        'layer { name: "ip2" type: "InnerProduct" bottom: "conv" top: "ip2" param { name: "w" } '
        "inner_product_param { num_output: 7 } }"
    )
    net = net_of(shared)
    split = [2 if name == "ip" else 0 for name in net.layer_names]

    copy_weights(net, model(tmp_path / "a", layer("ip", IP_WEIGHT, IP_BIAS)))

    first, second = split.index(2), net.layer_names.index("ip2")
    np.testing.assert_array_equal(net.blobs_of(second)[0], IP_WEIGHT)
    assert net.blobs_of(first)[0].data_ptr() == net.blobs_of(second)[0].data_ptr()


def test_all_that_does_not_fit_is_reported_and_nothing_is_copied(tmp_path: Path) -> None:
    path = model(
        tmp_path / "a.caffemodel",
        layer("ip", IP_WEIGHT[:5], IP_BIAS[:5]),
        layer("conv", CONV_WEIGHT),
        layer("data", IP_BIAS),
    )

    assert refused(net_of(NET), path) == [
        "Cannot copy param 0 of layer 'ip', shape mismatch: 5 18 (90) in the file, 7 18 (126) in "
        "the net (net.prototxt:8:1); to learn this layer anew, give it another name",
        "Cannot copy param 1 of layer 'ip', shape mismatch: 5 (5) in the file, 7 (7) in the net "
        "(net.prototxt:8:1); to learn this layer anew, give it another name",
        "Incompatible number of blobs for layer conv: 1 in the file, 2 in the net "
        "(net.prototxt:4:1)",
        "Incompatible number of blobs for layer data: 1 in the file, 0 in the net "
        "(net.prototxt:3:1)",
    ]


@pytest.mark.parametrize(
    "weight",
    [
        pytest.param(IP_WEIGHT.T, id="transposed"),
        pytest.param(IP_WEIGHT.reshape(7, 18, 1, 1), id="ones at the end"),
        pytest.param(IP_WEIGHT.reshape(1, 7, 18), id="three axes"),
        pytest.param(IP_WEIGHT.reshape(126), id="flat"),
    ],
)
def test_an_equal_count_is_not_an_equal_shape(tmp_path: Path, weight: NDArray[np.float32]) -> None:
    path = model(tmp_path / "a", layer("ip", weight, IP_BIAS))

    (line,) = refused(net_of(NET), path)

    assert line.startswith("Cannot copy param 0 of layer 'ip', shape mismatch: ")


def test_weights_of_another_net_altogether_are_refused(tmp_path: Path) -> None:
    names = [layer(f"fc{index}", IP_BIAS) for index in range(7)]

    assert refused(net_of(NET), model(tmp_path / "a", layer("data"), *names)) == [
        "no layer of this file has the name of a layer of net 'tiny'; the file has 'fc0', 'fc1', "
        "'fc2', 'fc3', 'fc4' and 2 more, the net 'conv', 'ip'"
    ]


def test_a_file_without_any_blob_is_refused(tmp_path: Path) -> None:
    assert refused(net_of(NET), model(tmp_path / "a", layer("prob"))) == [
        "no layer of this file has the name of a layer of net 'tiny'; the file has none with "
        "blobs, the net 'conv', 'ip'"
    ]


def test_a_net_without_blobs_has_nothing_to_miss(tmp_path: Path) -> None:
    net = net_of(
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 } } }'
        'layer { name: "relu" type: "ReLU" bottom: "data" top: "relu" }'
    )

    report = copy_weights(net, model(tmp_path / "a", layer("conv", CONV_BIAS)))

    assert report == CopyReport(copied=(), ignored=("conv",), kept=())


def test_what_is_written_is_what_caffe_writes(tmp_path: Path) -> None:
    net = net_of(NET, train=True)
    net.blobs_of(2)[0].copy_(torch.from_numpy(IP_WEIGHT))
    path = tmp_path / "tiny.caffemodel"

    write_weights(net, path)

    found = read_binary(path, NetParameter)
    assert (found.name, found.HasField("state")) == ("tiny", False)
    assert [each.name for each in found.layer] == ["data", "conv", "ip"]
    assert {each.phase for each in found.layer} == {TRAIN}
    ip = found.layer[2]
    assert [spec.lr_mult for spec in ip.param] == [1, 2]
    assert ip.inner_product_param.num_output == 7
    assert [{field.name for field, _ in blob.ListFields()} for blob in ip.blobs] == [
        {"shape", "data"},
        {"shape", "data"},
    ]
    np.testing.assert_array_equal(to_array(ip.blobs[0]), IP_WEIGHT)
    assert [each.name for each in path.parent.iterdir()] == ["tiny.caffemodel"]


def test_what_is_written_can_be_read_into_another_net(tmp_path: Path) -> None:
    net, other = net_of(NET), net_of(NET)

    write_weights(net, tmp_path / "a")

    assert copy_weights(other, tmp_path / "a").copied == ("conv", "ip")
    assert values(other) == values(net)


def test_split_layers_are_written_and_automatic_tops_are_not(tmp_path: Path) -> None:
    net = net_of(
        NET
        + """
        layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 } } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" }
        layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
        """
    )

    write_weights(net, tmp_path / "a")

    found = {each.name: each for each in read_binary(tmp_path / "a", NetParameter).layer}
    assert list(found) == ["data", "conv", "ip", "ip_ip_0_split", "label", "loss", "prob"]
    assert list(found["loss"].top) == []
    assert list(found["ip_ip_0_split"].top) == ["ip_ip_0_split_0", "ip_ip_0_split_1"]


def test_diffs_are_written_where_asked_for(tmp_path: Path) -> None:
    net = net_of(NET, train=True)
    net.learnable[2].param.grad = torch.from_numpy(3 * IP_WEIGHT)

    write_weights(net, tmp_path / "a", diffs=True)

    ip = read_binary(tmp_path / "a", NetParameter).layer[2]
    assert list(ip.blobs[0].diff) == (3 * IP_WEIGHT).ravel().tolist()
    assert list(ip.blobs[1].diff) == [0] * 7


def test_blobs_of_the_prototxt_are_not_written_beside_the_nets_own(tmp_path: Path) -> None:
    net = net_of(NET)
    net.graph.nodes[2].param.blobs.append(BlobProto(shape=BlobShape(dim=[1]), data=[5]))

    write_weights(net, tmp_path / "a")

    assert len(read_binary(tmp_path / "a", NetParameter).layer[2].blobs) == 2


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match=f"^cannot write {tmp_path}/nowhere/a: No such file"):
        write_weights(net_of(NET), tmp_path / "nowhere" / "a")
