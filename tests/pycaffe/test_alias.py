import importlib
import sys
import types
from collections.abc import Iterator

import pytest

import caffepy.pycaffe
from caffepy.pycaffe.alias import install


def known() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "caffe"]


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Without a `caffe` at first, and as it was afterwards."""
    before = {name: sys.modules.pop(name) for name in known()}
    yield
    for name in known():
        del sys.modules[name]
    sys.modules.update(before)


def test_caffe_and_its_submodules_are_caffepys() -> None:
    install()

    assert importlib.import_module("caffe") is caffepy.pycaffe
    assert importlib.import_module("caffe.net") is caffepy.pycaffe.net
    assert importlib.import_module("caffe.proto") is caffepy.proto
    assert importlib.import_module("caffe.proto.caffe_pb2") is caffepy.proto.caffe_pb2


def test_it_takes_the_place_of_another_caffe() -> None:
    sys.modules["caffe"] = types.ModuleType("caffe")
    sys.modules["caffe.io"] = sys.modules["caffe.older"] = types.ModuleType("caffe.io")

    install()

    assert sys.modules["caffe"] is caffepy.pycaffe
    assert sys.modules["caffe.io"] is caffepy.pycaffe.io
    assert "caffe.older" not in sys.modules
