"""The name `caffe`, under which scripts and Python layers know pycaffe."""

import importlib
import pkgutil
import sys

from caffepy import proto
from caffepy.proto import caffe_pb2

NAME = "caffe"


def install() -> None:
    """Let `import caffe`, and that of its submodules, find caffepy.pycaffe from now on.

    In this process only, and in the place of a Caffe that is installed. The commands do it before
    they build a net, for the modules of its Python layers; a script has to ask for it.
    """
    for name in [name for name in sys.modules if name.startswith(f"{NAME}.")]:
        del sys.modules[name]
    package = sys.modules[NAME] = importlib.import_module("caffepy.pycaffe")
    for module in pkgutil.iter_modules(package.__path__):
        full = f"{package.__name__}.{module.name}"
        sys.modules[f"{NAME}.{module.name}"] = importlib.import_module(full)
    sys.modules[f"{NAME}.proto"] = proto
    sys.modules[f"{NAME}.proto.caffe_pb2"] = caffe_pb2
