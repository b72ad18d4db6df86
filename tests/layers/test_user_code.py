import sys
from pathlib import Path

import pytest

from caffepy.errors import LayerError
from caffepy.layers.layer import Layer as TorchLayer
from caffepy.layers.python import Layer
from caffepy.layers.user_code import blaming, load_class
from caffepy.proto import LayerParameter, PythonParameter
from caffepy.pycaffe.alias import FOLDER


@pytest.fixture(autouse=True)
def folder(user_folder: Path) -> Path:
    """The current folder, with one module of the user's."""
    (user_folder / "pyloss.py").write_text(
        "import caffe\n"
        "class EuclideanLoss(caffe.Layer):\n"
        "    def setup(self, bottom, top): pass\n"
        "    def reshape(self, bottom, top): pass\n"
        "    def forward(self, bottom, top): pass\n"
        "class Half(caffe.Layer):\n"
        "    def setup(self, bottom, top): pass\n"
        "class Plain: pass\n"
        "ANCHORS = 9\n"
    )
    return user_folder


def owner(module: str = "pyloss", layer: str = "EuclideanLoss") -> TorchLayer:
    python = PythonParameter(module=module, layer=layer)
    return TorchLayer(LayerParameter(name="loss", type="Python", python_param=python))


def refused(module: str = "pyloss", layer: str = "EuclideanLoss") -> LayerError:
    with pytest.raises(LayerError, match=r"^layer 'loss' \(Python\): ") as caught:
        load_class(owner(module, layer), Layer)
    return caught.value


def test_a_module_of_the_current_folder_is_found() -> None:
    cls = load_class(owner(), Layer)

    assert issubclass(cls, Layer)
    assert cls.__name__ == "EuclideanLoss"


def test_a_module_on_pythonpath_is_found_before_one_in_the_current_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "lib").mkdir()
    (folder / "lib" / "pyloss.py").write_text((folder / "pyloss.py").read_text())
    monkeypatch.syspath_prepend(folder / "lib")

    load_class(owner(), Layer)

    assert sys.modules["pyloss"].__file__ == str(folder / "lib" / "pyloss.py")


def test_a_module_in_a_package_is_found(folder: Path) -> None:
    (folder / "lib").mkdir()
    (folder / "pyloss.py").rename(folder / "lib" / "pyloss.py")

    assert load_class(owner("lib.pyloss"), Layer).__module__ == "lib.pyloss"


@pytest.mark.parametrize("field", ["module", "layer"])
def test_both_names_must_be_given(field: str) -> None:
    error = refused(**{field: ""})

    assert f"python_param.{field} is missing" in str(error)
    assert error.field == f"python_param.{field}"


def test_a_missing_module_is_named_with_near_ones(folder: Path) -> None:
    error = refused("pylos")

    assert f"No module named 'pylos', neither installed, nor on PYTHONPATH, nor in {folder}" in str(
        error
    )
    assert str(error).endswith("did you mean 'pyloss'?")
    assert error.field == "python_param.module"


def test_a_module_that_needs_caffe_is_told_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "caffe")
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != FOLDER])

    assert "caffepy.pycaffe.install() lets `import caffe` find caffepy" in str(refused())


def test_a_module_that_fails_is_named_with_the_line(folder: Path) -> None:
    (folder / "broken.py").write_text("import math\nmath.sqrt(-1)\n")

    error = refused("broken")

    assert "import broken: ValueError: " in str(error)
    assert f"({folder / 'broken.py'}:2)" in str(error)
    assert isinstance(error.__cause__, ValueError)


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        ("EuclideanLos", "has no class 'EuclideanLos'; did you mean 'EuclideanLoss'?"),
        ("Plain", "is no caffe.Layer of caffepy's; `caffe` there is <module 'caffepy.pycaffe'"),
        ("ANCHORS", "is no caffe.Layer of caffepy's"),
        ("Half", "has no method reshape, forward"),
    ],
)
def test_a_class_that_does_not_do_is_named(layer: str, text: str) -> None:
    error = refused(layer=layer)

    assert text in str(error)
    assert "pyloss.py" in str(error)
    assert error.field == "python_param.layer"


def test_what_is_raised_is_the_cause_of_what_is_told() -> None:
    with pytest.raises(LayerError) as caught, blaming(owner(), "Loss.forward", "python_param"):
        raise KeyError

    assert f"layer 'loss' (Python): Loss.forward: KeyError ({__file__}:" in str(caught.value)
    assert isinstance(caught.value.__cause__, KeyError)
