"""The name `caffe`, under which scripts and Python layers know pycaffe."""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType

NAME = "caffe"
HOME = "caffepy.pycaffe"
# Where processes find `caffe` that get this one's sys.path and no more: multiprocessing's.
FOLDER = str(Path(__file__).with_name("path"))
# Modules of Caffe's that have another place here.
ELSEWHERE = {
    "caffe.proto": "caffepy.proto",
    "caffe.pycaffe": HOME,
    "caffe._caffe": HOME,
}


def install() -> None:
    """Let `import caffe`, and that of its submodules, find caffepy.pycaffe from now on.

    In this process and in those that `multiprocessing` starts from it, and in the place of a Caffe
    that is installed. The commands do it before they build a net, for the modules of its Python
    layers; a script has to ask for it, or be run by `python -m caffepy.pycaffe`.
    """
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    package = importlib.import_module(HOME)
    if sys.modules.get(NAME) is not package:
        for name in [name for name in sys.modules if name.startswith(f"{NAME}.")]:
            del sys.modules[name]
        sys.modules[NAME] = package
    if FOLDER not in sys.path:
        sys.path.insert(1, FOLDER)


class _Finder(MetaPathFinder):
    """Finds caffe.x where caffepy.pycaffe.x is."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith(f"{NAME}.") or sys.modules.get(NAME) is not sys.modules.get(HOME):
            return None
        return spec_from_loader(name, _Same())


class _Same(Loader):
    """Gives a module that has another name of its own."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(_home(spec.name))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Put back the module's own spec, in the place of which the one of this name was put."""
        spec = module.__spec__
        if spec is not None:
            module.__spec__ = spec.loader_state


def _home(name: str) -> str:
    """The name that one of Caffe's modules has here."""
    for caffes, ours in ELSEWHERE.items():
        if name == caffes or name.startswith(f"{caffes}."):
            return ours + name.removeprefix(caffes)
    return HOME + name.removeprefix(NAME)
