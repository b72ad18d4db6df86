import subprocess
import sys
from itertools import islice
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from caffepy.cli.main import main
from caffepy.data.database import open_database
from caffepy.data.datum import decode, parse_datum
from caffepy.net.load import load_net
from caffepy.net.net import Net
from caffepy.net.weights import write_weights
from tests.data.databases import ramp, write_images

ROOT = Path(__file__).parents[2]
NET = """
name: "net"
layer { name: "data" type: "Data" top: "data" top: "label"
        data_param { source: "images" batch_size: 3 backend: LMDB } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param {
        num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip" inner_product_param {
        num_output: 9 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "ip" top: "ip" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


IMAGES = [ramp(5, 6, 3, 40 * number) for number in range(7)]


@pytest.fixture(autouse=True)
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Net:
    """The working directory: 7 images, a net over them in batches of 3, and its weights."""
    monkeypatch.chdir(tmp_path)
    write_images(Path("images"), IMAGES)
    Path("net.prototxt").write_text(NET)
    net = load_net("net.prototxt")
    write_weights(net, "net.caffemodel")
    return net


def extract(*words: str) -> int:
    return main(["extract_features", "net.caffemodel", "net.prototxt", *words])


def expected(net: Net) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What conv and ip hold for 9 images: the 7 of the database, and the first two again."""
    x = torch.tensor(np.stack([*IMAGES, *IMAGES[:2]]).transpose(0, 3, 1, 2)).float()
    weight, bias, ip_weight, ip_bias = (entry.param.detach() for entry in net.learnable)
    conv = torch.nn.functional.conv2d(x, weight, bias).relu()
    return conv.numpy(), (conv.flatten(1) @ ip_weight.T + ip_bias).numpy()


@pytest.mark.parametrize("kind", ["lmdb", "leveldb"])
def test_a_database_for_each_blob(net: Net, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert extract("conv,ip", "conv_db,ip_db", "3", kind) == 0

    conv, ip = expected(net)
    for path, shape, values in (("conv_db", (9, 2, 3, 4), conv), ("ip_db", (9, 9, 1, 1), ip)):
        database = open_database(path)
        records = list(islice(database.records(), len(database)))
        assert [record.key for record in records] == [b"%010d" % number for number in range(9)]
        stored = np.array([decode(parse_datum(record.value)) for record in records], np.float32)
        assert stored.shape == shape
        np.testing.assert_allclose(stored, values.reshape(shape), rtol=1e-4, atol=1e-3)
    err = capsys.readouterr().err
    assert "] Extracted features of 9 query images for feature blob conv\n" in err
    assert err.endswith("] Successfully extracted the features!\n")


@pytest.mark.parametrize("device", [[], ["CPU"]], ids=["nothing", "CPU"])
def test_arrays_and_hdf5(net: Net, device: list[str]) -> None:
    assert extract("ip,loss", "ip.npy,loss.npy", "3", "npy", *device) == 0
    assert extract("ip", "ip.h5", "3", "hdf5", *device) == 0

    values = expected(net)[1]
    np.testing.assert_allclose(np.load("ip.npy"), values, rtol=1e-4, atol=1e-3)
    assert np.load("loss.npy").shape == (3,)
    with h5py.File("ip.h5") as file:
        np.testing.assert_array_equal(file["ip"], np.load("ip.npy"))


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param(["ip", "db", "1"], 2, "required: DB_TYPE", id="no type"),
        pytest.param(["ip", "db", "1", "csv"], 2, "choose from", id="type"),
        pytest.param(["ip,conv", "db", "1", "lmdb"], 2, "2 blobs and 1 databases", id="counts"),
        pytest.param(["ip,conv", "db,db", "1", "lmdb"], 2, "one name twice", id="name twice"),
        pytest.param(["ip", "db", "0", "lmdb"], 2, "BATCHES is 0", id="no batches"),
        pytest.param(["ip", "db", "x", "lmdb"], 2, "invalid int", id="batches"),
        pytest.param(["ip", "db", "1", "lmdb", "TPU"], 2, "not 'TPU'", id="device"),
        pytest.param(["ip", "db", "1", "lmdb", "GPU", "x"], 2, "not 'GPU x'", id="device id"),
        pytest.param(["ip", "db", "1", "lmdb", "CPU", "0", "0"], 2, "not 'CPU 0 0'", id="more"),
        pytest.param(["ip", "images", "1", "lmdb"], 1, "images: exists already", id="taken"),
        pytest.param(["convv", "db", "1", "lmdb"], 1, "did you mean 'conv'", id="blob"),
        pytest.param(["ip", "no/db", "1", "npy"], 1, "no folder 'no'", id="folder"),
    ],
)
def test_refuses_and_leaves_nothing(
    words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(Path().iterdir())

    assert extract(*words) == code

    assert message in capsys.readouterr().err
    assert sorted(Path().iterdir()) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="a device is there")
@pytest.mark.parametrize("words", [["GPU"], ["GPU", "1"], ["GPU", "DEVICE_ID=1"]], ids=" ".join)
def test_a_device_that_is_not_there(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert extract("ip", "db", "1", "lmdb", *words) == 1

    number = "0" if len(words) == 1 else "1"
    assert f"--gpu {number}: PyTorch" in capsys.readouterr().err


def test_the_tool_runs_from_any_folder() -> None:
    tool = ROOT / "tools" / "extract_features"
    words = ["net.caffemodel", "net.prototxt", "ip", "ip.npy", "1", "npy"]
    subprocess.run(
        [sys.executable, tool, *words],
        check=True,
        capture_output=True,
        env={"PYTHONPATH": str(ROOT)},
    )

    assert np.load("ip.npy").shape == (3, 9)
