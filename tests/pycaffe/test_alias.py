import importlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

import caffepy.pycaffe
from caffepy.pycaffe.alias import FOLDER, install


def known() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "caffe"]


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without a `caffe` at first, and as it was afterwards."""
    before = {name: sys.modules.pop(name) for name in known()}
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != FOLDER])
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    yield
    for name in known():
        del sys.modules[name]
    sys.modules.update(before)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("caffe", "caffepy.pycaffe"),
        ("caffe.net", "caffepy.pycaffe.net"),
        ("caffe.pycaffe", "caffepy.pycaffe"),
        ("caffe._caffe", "caffepy.pycaffe"),
        ("caffe.proto", "caffepy.proto"),
        ("caffe.proto.caffe_pb2", "caffepy.proto.caffe_pb2"),
    ],
)
def test_caffe_and_its_submodules_are_caffepys(name: str, module: str) -> None:
    ours = importlib.import_module(module)
    spec = ours.__spec__
    install()

    found = importlib.import_module(name)

    assert found is ours
    assert found.__name__ == module
    assert found.__spec__ is spec


def test_submodules_are_imported_when_they_are_asked_for() -> None:
    install()
    install()

    assert known() == ["caffe"]


def test_a_submodule_that_is_not_there_is_named() -> None:
    install()

    with pytest.raises(ModuleNotFoundError, match="moddel_libs"):
        importlib.import_module("caffe.moddel_libs")


def test_it_takes_the_place_of_another_caffe() -> None:
    sys.modules["caffe"] = types.ModuleType("caffe")
    sys.modules["caffe.net"] = sys.modules["caffe.older"] = types.ModuleType("caffe.net")

    install()

    assert sys.modules["caffe"] is caffepy.pycaffe
    assert "caffe.older" not in sys.modules
    assert importlib.import_module("caffe.net") is caffepy.pycaffe.net


def test_until_it_is_asked_for_another_caffe_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "caffe").mkdir()
    (tmp_path / "caffe" / "__init__.py").write_text("")
    (tmp_path / "caffe" / "net.py").write_text("HERE = True")
    monkeypatch.syspath_prepend(tmp_path)

    assert importlib.import_module("caffe.net").__dict__["HERE"]
