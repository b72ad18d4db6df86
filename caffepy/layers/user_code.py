"""Code of the user's: where it is found, and who is to blame when it fails."""

import importlib
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from caffepy.errors import UserCodeError, near
from caffepy.layers.layer import Layer

T = TypeVar("T")
REQUIRED = ("setup", "reshape", "forward")


def load_class(owner: Layer, base: type[T]) -> type[T]:
    """The class that a layer's python_param names, with the methods that it must have.

    The current folder joins the places where Python looks for modules, as the last one.

    Raises:
        LayerError: there is no such module or class, or it is no `base`; importing it failed.
    """
    python = owner.param.python_param
    for field in ("module", "layer"):
        if not getattr(python, field):
            raise owner.error(f"python_param.{field} is missing", f"python_param.{field}")
    if not {"", os.getcwd()} & set(sys.path):  # noqa: PTH109  sys.path holds strings
        sys.path.append(os.getcwd())  # noqa: PTH109
    importlib.invalidate_caches()
    with blaming(owner, f"import {python.module}", "python_param.module"):
        module = importlib.import_module(python.module)
    place = f"module {python.module!r} ({module.__file__})"
    found = vars(module).get(python.layer)
    if found is None:
        hint = near(
            python.layer, [name for name, value in vars(module).items() if type(value) is type]
        )
        raise owner.error(f"{place} has no class {python.layer!r}{hint}", "python_param.layer")
    if not (isinstance(found, type) and issubclass(found, base)):
        raise owner.error(
            f"{python.layer!r} of {place} is no caffe.Layer of caffepy's; `caffe` there is "
            f"{sys.modules.get('caffe')}, which caffepy.pycaffe.install() makes caffepy's",
            "python_param.layer",
        )
    missing = [name for name in REQUIRED if getattr(found, name) is getattr(base, name)]
    if missing:
        text = f"class {python.layer!r} of {place} has no method {', '.join(missing)}"
        raise owner.error(text, "python_param.layer")
    return found


@contextmanager
def blaming(owner: Layer, doing: str, field: str) -> Iterator[None]:
    """Turn whatever is raised inside into a UserCodeError that says what the layer was doing."""
    try:
        yield
    except Exception as error:
        text = f"{owner.full_name}: {doing}: {_told(error)}"
        raise UserCodeError(text, field, error) from error


def _told(error: Exception) -> str:
    """An exception in words: its type, its text, and the line that raised it."""
    if isinstance(error, ModuleNotFoundError) and error.name == "caffe":
        return f"{error}; caffepy.pycaffe.install() lets `import caffe` find caffepy"
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        hint = near(error.name, [path.stem for path in Path().glob("*.py")])
        return f"{error}, neither installed, nor on PYTHONPATH, nor in {Path.cwd()}{hint}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{text} ({frame.filename}:{frame.lineno})"
