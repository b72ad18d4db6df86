"""Caffe for people today: prototxts, databases, weights and solver of Caffe, run by PyTorch.

load_net(prototxt, weights=None, phase="test") -> Net: a net ready to run.
Solver(path): a training, as solver.prototxt describes it.

Both are imported when first used, so that `import caffepy` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caffepy.net.load import load_net as load_net
    from caffepy.solver.solver import Solver as Solver

_HOMES = {"Solver": "caffepy.solver.solver", "load_net": "caffepy.net.load"}
__all__ = ["Solver", "load_net"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'caffepy' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
