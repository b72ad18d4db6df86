"""The exceptions, and the hint of near names."""

from pathlib import Path

import pytest

from caffepy import errors
from caffepy.errors import CaffeError, LayerError, near, near_file

KINDS = [
    "ParseError",
    "NetError",
    "LayerError",
    "WeightsError",
    "DataError",
    "SolverError",
    "SnapshotError",
]


@pytest.mark.parametrize("name", KINDS)
def test_every_error_is_a_caffe_error(name: str) -> None:
    assert issubclass(getattr(errors, name), CaffeError)


def test_a_layer_error_may_name_a_field() -> None:
    assert LayerError("too wide", "pooling_param.pad").field == "pooling_param.pad"
    assert LayerError("too wide").field == ""
    assert str(LayerError("too wide", "pooling_param.pad")) == "too wide"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("date", "; did you mean 'data'?", id="one"),
        pytest.param("conv1x", "; did you mean 'conv1' or 'conv2'?", id="nearest first"),
        pytest.param("zzz", "", id="none"),
    ],
)
def test_near(name: str, expected: str) -> None:
    assert near(name, ["conv2", "conv1", "data"]) == expected


def test_near_whatever_the_case() -> None:
    assert near("relu", iter(["ReLU", "SGD"])) == "; did you mean 'ReLU'?"
    assert near("Pool", ["pool", "POOL"]) == "; did you mean 'pool' or 'POOL'?"


def test_near_file(tmp_path: Path) -> None:
    (tmp_path / "solver.prototxt").touch()

    assert near_file(tmp_path / "sover.prototxt") == "; did you mean 'solver.prototxt'?"
    assert near_file(tmp_path / "missing" / "sover.prototxt") == ""
