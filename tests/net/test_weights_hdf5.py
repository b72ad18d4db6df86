"""Weights in HDF5: which groups are layers, which blobs are left out, what is no weights."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from caffepy.errors import SnapshotError, WeightsError
from caffepy.net.weights import copy_weights
from caffepy.net.weights_hdf5 import check_names, hdf5_weights, read_weights_hdf5
from tests.net.nets import net_of

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)
BIAS = np.array([7, 8], np.float32)


def read(path: Path, fill: Callable[[h5py.File], object]) -> list[tuple[str, list[object]]]:
    """Write a file, and read it as names of layers with the numbers of their blobs."""
    with h5py.File(path / "a.caffemodel.h5", "w") as file:
        fill(file)
    layers = read_weights_hdf5(path / "a.caffemodel.h5")
    return [
        (layer.name, [None if blob is None else blob.tolist() for blob in layer.blobs])
        for layer in layers
    ]


def test_every_layer_has_a_group(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file["data/ip/0"] = WEIGHT
        file["data/ip/1"] = BIAS
        file["diff/ip/0"] = WEIGHT
        file.create_group("data/conv")

    assert read(tmp_path, fill) == [("conv", []), ("ip", [WEIGHT.tolist(), BIAS.tolist()])]


def test_blobs_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        for index in range(12):
            file[f"data/lstm/{index}"] = np.full(2, index, np.float32)

    ((_, blobs),) = read(tmp_path, fill)

    assert blobs == [[index, index] for index in range(12)]


def test_blobs_that_another_layer_owns_are_none(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file["data/ip/1"] = BIAS

    assert read(tmp_path, fill) == [("ip", [None, [7, 8]])]


def test_names_with_slashes_are_groups_in_groups(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file["data/3a/1x1/0"] = BIAS
        file["data/3a/relu"] = WEIGHT[:0]  # in the place of a group below
        del file["data/3a/relu"]
        file.create_group("data/3a/relu")
        file["data/4/0"] = BIAS
        file["data/4/5/0"] = BIAS

    assert [name for name, _ in read(tmp_path, fill)] == ["3a/1x1", "3a/relu", "4", "4/5"]


def test_doubles_are_rounded_and_the_arrays_are_torchs_to_take(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data/ip/0"] = np.array([0.1, 2], ">f8")

    ((blob,),) = [layer.blobs for layer in read_weights_hdf5(tmp_path / "a.h5")]

    assert blob is not None
    assert blob.dtype == np.float32
    assert blob.flags.writeable
    np.testing.assert_array_equal(blob, np.array([0.1, 2], np.float32))


def put(name: str, value: object) -> Callable[[h5py.File], object]:
    def fill(file: h5py.File) -> None:
        file[name] = value

    return fill


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        pytest.param(
            put("history/0", BIAS),
            " is no .caffemodel.h5: it has no group 'data', only 'history'",
            id="only a history",
        ),
        pytest.param(
            lambda _: None,
            " is no .caffemodel.h5: it has no group 'data', only nothing",
            id="empty",
        ),
        pytest.param(
            put("data", WEIGHT),
            " is no .caffemodel.h5: it has no group 'data', only 'data'",
            id="rows of an HDF5Data layer",
        ),
        pytest.param(
            put("data/0", BIAS),
            ": /data/0 is no blob: blobs are floats, /data/layer/0",
            id="no layer",
        ),
        pytest.param(
            put("data/ip/kernel", BIAS),
            ": /data/ip/kernel is no blob: blobs are floats, /data/layer/0",
            id="no number",
        ),
        pytest.param(
            put("data/ip/0", "text"),
            ": /data/ip/0 is no blob: blobs are floats, /data/layer/0",
            id="text",
        ),
    ],
)
def test_what_is_no_weights_is_refused(
    tmp_path: Path, fill: Callable[[h5py.File], object], message: str
) -> None:
    with pytest.raises(WeightsError) as caught:
        read(tmp_path, fill)

    assert str(caught.value) == f"{tmp_path}/a.caffemodel.h5{message}"


def test_a_solverstate_is_known_as_one(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        for name in ("iter", "learned_net", "current_step", "history/0"):
            file[name] = 1

    with pytest.raises(WeightsError, match=r"it is a solverstate; the weights that belong to it"):
        read(tmp_path, fill)


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n and no more")

    with pytest.raises(WeightsError, match=r"a\.h5 cannot be read as an HDF5 file"):
        read_weights_hdf5(tmp_path / "a.h5")


def test_without_h5py_the_error_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)

    with pytest.raises(
        WeightsError, match=r"h5py, which is not installed: pip install 'caffepy\[hdf5\]'"
    ):
        read_weights_hdf5(tmp_path / "a.h5")


NET = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 5 } } }
layer { name: "3a/1x1" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" }
        inner_product_param { num_output: 3 weight_filler { type: "uniform" } } }
layer { name: "3a/relu" type: "ReLU" bottom: "a" top: "a" }
layer { name: "3a" type: "InnerProduct" bottom: "x" top: "b" param { name: "w" }
        inner_product_param { num_output: 3 bias_term: BIAS } }
layer { name: "scale" type: "Scale" bottom: "b" top: "c" scale_param { bias_term: true } }
"""


def contents(data: bytes) -> dict[str, object]:
    """Every dataset of a file, and None for every group."""
    found: dict[str, object] = {}
    with h5py.File(io.BytesIO(data)) as file:
        file.visititems(
            lambda name, item: found.update(
                {name: item[()] if isinstance(item, h5py.Dataset) else None}
            )
        )
    return found


@pytest.mark.parametrize("bias", ["true", "false"])
def test_every_layer_is_written_and_a_shared_blob_once(bias: str) -> None:
    net = net_of(NET.replace("BIAS", bias))
    blobs = {name: net.blobs_of(index) for index, name in enumerate(net.layer_names)}

    found = contents(hdf5_weights(net, "a.h5"))

    expected = {
        "data": None,
        "data/in": None,
        "data/x_in_0_split": None,
        "data/3a": None,
        "data/3a/1x1": None,
        "data/3a/1x1/0": blobs["3a/1x1"][0],
        "data/3a/1x1/1": blobs["3a/1x1"][1],
        "data/3a/relu": None,
        "data/scale": None,
        "data/scale/0": blobs["scale"][0],
        "data/scale/1": blobs["scale"][1],
    }
    if bias == "true":
        expected["data/3a/1"] = blobs["3a"][1]
    assert set(found) == set(expected)
    for name, blob in expected.items():
        if blob is not None:
            np.testing.assert_array_equal(np.asarray(found[name]), blob.numpy(), strict=True)


@pytest.mark.parametrize("bias", ["true", "false"])
def test_what_is_written_can_be_read_into_another_net(tmp_path: Path, bias: str) -> None:
    text = NET.replace("BIAS", bias)
    source, target = net_of(text), net_of(text)
    (tmp_path / "a.h5").write_bytes(hdf5_weights(source, "a.h5"))

    report = copy_weights(target, tmp_path / "a.h5")

    assert report.kept == (() if bias == "true" else ("3a",)[:0])
    for ours, theirs in zip(target.learnable, source.learnable, strict=True):
        np.testing.assert_array_equal(ours.param.detach(), theirs.param.detach())


def test_diffs_are_written_with_every_layer_that_has_the_blob() -> None:
    net = net_of(NET.replace("BIAS", "true"), train=True)
    shared = net.learnable[0].param
    shared.grad = torch.arange(15.0).reshape(3, 5)

    found = contents(hdf5_weights(net, "a.h5", diffs=True))

    for name in ("diff/3a/1x1/0", "diff/3a/0"):
        np.testing.assert_array_equal(np.asarray(found[name]), shared.grad)
    np.testing.assert_array_equal(np.asarray(found["diff/scale/1"]), np.zeros(3), strict=False)
    assert {"diff/in", "diff/3a/relu"} <= set(found)


SIMPLE = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 5 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 3 } }
layer { name: "NAME" type: "ReLU" bottom: "y" top: "z" }
"""


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("ip/0", "that is where the blob 'ip/0' is"),
        ("ip/1/relu", "that is where the blob 'ip/1' is"),
        ("", "no part of it between slashes may be empty or a dot"),
        ("/relu", "no part of it between slashes may be empty or a dot"),
        ("a//relu", "no part of it between slashes may be empty or a dot"),
        (".", "no part of it between slashes may be empty or a dot"),
        ("ip", "2 layers have this name"),
    ],
)
def test_names_that_hdf5_cannot_tell_apart_are_refused(name: str, problem: str) -> None:
    with pytest.raises(SnapshotError) as caught:
        check_names(net_of(SIMPLE.replace("NAME", name)))

    assert str(caught.value) == (
        f"layer {name!r}: its name cannot be written with snapshot_format HDF5: {problem}; give the "
        "layer another, or set snapshot_format: BINARYPROTO"
    )


@pytest.mark.parametrize("name", ["ip/2", "ip/relu", "..", "a.b", "0", "ip2", "conv 1"])
def test_other_names_are_fine(tmp_path: Path, name: str) -> None:
    net = net_of(SIMPLE.replace("NAME", name))

    check_names(net)

    (tmp_path / "a.h5").write_bytes(hdf5_weights(net, "a.h5"))
    assert name in [layer.name for layer in read_weights_hdf5(tmp_path / "a.h5")]
