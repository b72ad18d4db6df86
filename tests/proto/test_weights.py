"""Weights of every format and fork: names, types and blobs, and a word on what is no weights."""

from pathlib import Path

import numpy as np
import pytest
from google.protobuf.message import Message

from caffepy.errors import WeightsError
from caffepy.proto import (
    BlobProto,
    BlobShape,
    LayerParameter,
    NetParameter,
    SolverState,
    V0LayerParameter,
    V1LayerParameter,
)
from caffepy.proto.weights import read_weights
from caffepy.proto.wire import varint

WEIGHT = BlobProto(shape=BlobShape(dim=[2, 3]), data=[1, 2, 3, 4, 5, 6])
BIAS = BlobProto(shape=BlobShape(dim=[2]), data=[7, 8])
OLD_WEIGHT = BlobProto(num=1, channels=1, height=2, width=3, data=[1, 2, 3, 4, 5, 6])
OLD_BIAS = BlobProto(num=1, channels=1, height=1, width=2, data=[7, 8])
V2 = NetParameter(
    name="net",
    layer=[
        LayerParameter(name="data", type="Input", top=["data"]),
        LayerParameter(name="ip", type="InnerProduct", blobs=[WEIGHT, BIAS]),
    ],
)
V1 = NetParameter(
    layers=[
        V1LayerParameter(name="data", type=V1LayerParameter.DATA),
        V1LayerParameter(
            name="ip", type=V1LayerParameter.INNER_PRODUCT, blobs=[OLD_WEIGHT, OLD_BIAS]
        ),
    ]
)
V0 = NetParameter(
    layers=[
        V1LayerParameter(layer=V0LayerParameter(name="data", type="data"), top=["data"]),
        V1LayerParameter(
            layer=V0LayerParameter(name="ip", type="innerproduct", blobs=[OLD_WEIGHT, OLD_BIAS])
        ),
    ]
)


def written(path: Path, content: Message | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    return path


def nested(number: int, content: bytes) -> bytes:
    """A field that holds bytes, as the wire has it."""
    return varint(number << 3 | 2) + varint(len(content)) + content


@pytest.mark.parametrize(
    ("net", "types", "shapes"),
    [
        pytest.param(V2, ["Input", "InnerProduct"], [(2, 3), (2,)], id="V2"),
        pytest.param(V1, ["DATA", "INNER_PRODUCT"], [(1, 1, 2, 3), (1, 1, 1, 2)], id="V1"),
        pytest.param(V0, ["data", "innerproduct"], [(1, 1, 2, 3), (1, 1, 1, 2)], id="V0"),
    ],
)
def test_reads_every_format(
    tmp_path: Path, net: NetParameter, types: list[str], shapes: list[tuple[int, ...]]
) -> None:
    data, ip = read_weights(written(tmp_path / "a.caffemodel", net))

    assert [data.name, ip.name] == ["data", "ip"]
    assert [data.type, ip.type] == types
    assert data.blobs == []
    assert [blob.shape for blob in ip.blobs] == shapes
    assert [blob.ravel().tolist() for blob in ip.blobs] == [[1, 2, 3, 4, 5, 6], [7, 8]]


def test_fields_of_forks_are_skipped_even_where_their_wire_types_clash(tmp_path: Path) -> None:
    forward_type = varint(145 << 3) + b"\x02"  # NVIDIA's number, where BVLC has a message
    mat_write = nested(145, nested(1, b"prefix"))  # and PSPNet's, whose message has a string
    layer = V2.layer[1].SerializeToString()
    net = nested(100, forward_type + layer) + nested(11, b"x") + nested(100, mat_write + layer)

    layers = read_weights(written(tmp_path / "fork.caffemodel", net))

    assert [(layer.name, len(layer.blobs)) for layer in layers] == [("ip", 2), ("ip", 2)]


def test_layer_types_that_forks_added_to_v1_keep_their_number(tmp_path: Path) -> None:
    layer = nested(4, b"up") + varint(5 << 3) + varint(77)

    (found,) = read_weights(written(tmp_path / "a.caffemodel", nested(2, layer)))

    assert (found.name, found.type) == ("up", "77")


def test_blobs_can_be_handed_to_torch(tmp_path: Path) -> None:
    _, ip = read_weights(written(tmp_path / "a.caffemodel", V2))

    assert all(blob.flags.writeable and blob.dtype == np.float32 for blob in ip.blobs)


STATE = SolverState(iter=5, learned_net="lenet_iter_5.caffemodel", history=[WEIGHT])
WRONG = NetParameter(
    layer=[LayerParameter(name="ip", blobs=[WEIGHT, BlobProto(shape=BlobShape(dim=[3]), data=[1])])]
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", ": the file is empty, a caffemodel is expected", id="empty"),
        pytest.param(
            b'name: "LeNet"\nlayer {\n}\n',
            ": this is a text file (a prototxt?), a caffemodel is expected",
            id="prototxt",
        ),
        pytest.param(
            b"\x89HDF\r\n\x1a\n\x00\x00",
            ": this is HDF5, a binary caffemodel is expected",
            id="HDF5",
        ),
        pytest.param(
            STATE,
            " (SIZE bytes): this is a solverstate; the weights that belong to it are in "
            "'lenet_iter_5.caffemodel'",
            id="solverstate",
        ),
        pytest.param(
            WEIGHT,
            " (SIZE bytes): there is no layer in it; a caffemodel is expected",
            id="mean image",
        ),
        pytest.param(
            V2.SerializeToString()[:-3],
            " (SIZE bytes): cut short: a field of 69 bytes, and only 66 left",
            id="cut short",
        ),
        pytest.param(
            WRONG,
            " (SIZE bytes): blob 1 of layer 'ip': the shape 3 means 3 numbers, but there are 1",
            id="a blob of another size than it says",
        ),
        pytest.param(b"\x0f\x01\x02", " (SIZE bytes): byte 0 begins no field", id="anything"),
    ],
)
def test_what_is_no_weights_is_refused(
    tmp_path: Path, content: Message | bytes, message: str
) -> None:
    path = written(tmp_path / "a.caffemodel", content)

    with pytest.raises(WeightsError) as caught:
        read_weights(path)

    size = path.stat().st_size
    assert str(caught.value) == f"{path}{message}".replace("SIZE", str(size))


def test_a_missing_file_is_named_with_its_neighbours(tmp_path: Path) -> None:
    written(tmp_path / "lenet_iter_500.caffemodel", V2)

    with pytest.raises(WeightsError) as caught:
        read_weights(tmp_path / "lenet_iter_50.caffemodel")

    assert str(caught.value) == (
        f"cannot read {tmp_path}/lenet_iter_50.caffemodel: No such file or directory; "
        "did you mean 'lenet_iter_500.caffemodel'?"
    )
