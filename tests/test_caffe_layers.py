"""Nets of one layer or a few, held against what BVLC Caffe computed for them.

tests/golden/layers: a file a net, with its prototxt, phase, inputs and blobs, and what Caffe made of
them: tops, diffs of inputs (`indiff_*`) and of blobs (`paramdiff_*`) for given diffs of the tops.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caffepy.pycaffe as caffe

CASES = sorted((Path(__file__).parent / "golden" / "layers").glob("*.npz"))
Case = Mapping[str, NDArray[Any]]


@pytest.fixture(params=CASES, ids=lambda path: path.stem)
def case(request: pytest.FixtureRequest) -> Case:
    """One file of numbers."""
    with np.load(request.param) as numbers:
        return dict(numbers)


@pytest.fixture
def net(case: Case, tmp_path: Path) -> caffe.Net:
    """The net of a case, with the case's inputs and blobs in it."""
    path = tmp_path / "net.prototxt"
    path.write_text(str(case["prototxt"]))
    net = caffe.Net(str(path), {"TRAIN": caffe.TRAIN, "TEST": caffe.TEST}[str(case["phase"])])
    for index, blob in enumerate(blobs_of(net, case)):
        assert blob.data.shape == case[f"param_{index}"].shape
        blob.data[...] = case[f"param_{index}"]
    for index, name in enumerate(case["in_names"]):
        given = net.params[name][0] if name in net.params else net.blobs[name]
        given.data[...] = case[f"in_{index}"]
    return net


def blobs_of(net: caffe.Net, case: Case) -> list[Any]:
    """The blobs of all layers but those of Parameter layers, which a case counts as inputs."""
    return [
        blob
        for layer, blobs in net.params.items()
        if layer not in case["in_names"]
        for blob in blobs
    ]


def assert_close(got: NDArray[Any], want: NDArray[Any]) -> None:
    assert got.shape == want.shape
    np.testing.assert_array_less(np.abs(got - want) / np.maximum(1, np.abs(want)), 1e-4)


def test_forward_gives_caffes_numbers(case: Case, net: caffe.Net) -> None:
    for _ in range(int(case["forwards"])):
        net.forward()

    for index, name in enumerate(case["out_names"]):
        assert_close(net.blobs[name].data, case[f"out_{index}"])
    for index, blob in enumerate(blobs_of(net, case)):
        assert_close(blob.data, case[f"param_after_{index}"])


def test_backward_gives_caffes_numbers(case: Case, net: caffe.Net) -> None:
    for _ in range(int(case["forwards"])):
        net.forward()
    for index, name in enumerate(case["out_names"]):
        net.blobs[name].diff[...] = case.get(f"outdiff_{index}", 0)

    net.backward()

    for index, name in enumerate(case["in_names"]):
        if f"indiff_{index}" in case:
            assert_close(net.blobs[name].diff, case[f"indiff_{index}"])
    for index, blob in enumerate(blobs_of(net, case) if case["backward"] else []):
        assert_close(blob.diff, case[f"paramdiff_{index}"])


def test_shapes_are_known_before_anything_is_computed(case: Case, net: caffe.Net) -> None:
    built = {name: net.blobs[name].data.shape for name in net.blobs}

    net.forward()

    for name, blob in net.blobs.items():
        if (
            "Filter" not in str(case["prototxt"]) or name in case["in_names"]
        ):  # how many depends on values
            assert blob.data.shape == built[name], name
    for index, name in enumerate(case["out_names"]):
        assert net.blobs[name].data.shape == case[f"out_{index}"].shape
