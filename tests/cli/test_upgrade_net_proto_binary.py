import os
from pathlib import Path

import pytest
from google.protobuf.message import Message

from caffepy.cli.main import main
from caffepy.proto import (
    BlobProto,
    LayerParameter,
    NetParameter,
    V0LayerParameter,
    V1LayerParameter,
    weights_pb2,
)
from caffepy.proto.files import read_binary, write_binary, write_text
from caffepy.proto.weights import read_weights

ROOT = Path(__file__).parents[2]
BLOB = BlobProto(num=1, channels=1, height=2, width=3, data=[1, 2, 3, 4, 5, 6])
NEW = NetParameter(layer=[LayerParameter(name="ip", type="InnerProduct", blobs=[BLOB])])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def upgrade() -> int:
    return main(["upgrade_net_proto_binary", "old", "new"])


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(
            V1LayerParameter(name="ip", type=V1LayerParameter.INNER_PRODUCT, blobs=[BLOB]), id="V1"
        ),
        pytest.param(
            V1LayerParameter(layer=V0LayerParameter(name="ip", type="innerproduct", blobs=[BLOB])),
            id="V0",
        ),
    ],
)
def test_old_weights(layer: V1LayerParameter, capsys: pytest.CaptureFixture[str]) -> None:
    write_binary("old", NetParameter(layers=[layer], input=["data"]))

    assert upgrade() == 0

    assert read_binary("new", NetParameter) == NEW
    assert capsys.readouterr().err.endswith("] Wrote upgraded NetParameter binary proto to new\n")


def test_weights_of_today_are_written_too(capsys: pytest.CaptureFixture[str]) -> None:
    write_binary("old", NEW)

    assert upgrade() == 0

    assert Path("new").read_bytes() == Path("old").read_bytes()
    assert "] File already in latest proto format: old\n" in capsys.readouterr().err


def test_blobs_keep_what_forks_put_in_them() -> None:
    """NVIDIA's raw numbers, which BVLC's message does not know."""
    raw = weights_pb2.Blob(
        shape=weights_pb2.Shape(dim=[2]),
        raw_data_type=weights_pb2.Blob.FLOAT16,
        raw_data=b"\0\x3c\0\x40",
    )
    write_binary("old", weights_pb2.Net(layers=[weights_pb2.V1Layer(name="ip", blobs=[raw])]))

    assert upgrade() == 0

    (layer,) = read_weights("new")
    (blob,) = layer.blobs
    assert blob is not None
    assert blob.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "cannot read old: No such file or directory", id="missing"),
        pytest.param(
            BLOB, "old: there is no layer in it; a binary net is expected", id="mean image"
        ),
        pytest.param(b"\x12\xff", "cut short", id="cut short"),
    ],
)
def test_refuses_and_writes_nothing(
    content: Message | bytes | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if isinstance(content, Message):
        write_binary("old", content)
    elif content is not None:
        Path("old").write_bytes(content)

    assert upgrade() == 1

    assert message in capsys.readouterr().err
    assert not Path("new").exists()


def test_text_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    write_text("old", NEW)

    assert upgrade() == 1
    assert "this is a text file (a prototxt?), a binary NetParameter is expected" in (
        capsys.readouterr().err
    )


def test_the_tool_calls_the_verb() -> None:
    tool = ROOT / "tools" / "upgrade_net_proto_binary"

    assert os.access(tool, os.X_OK)
    assert 'main(["upgrade_net_proto_binary", *sys.argv[1:]])' in tool.read_text()
