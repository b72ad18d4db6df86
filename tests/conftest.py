import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from caffepy.pycaffe import install


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, to write modules of Python layers to; later tests do not see them."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    install()
    yield tmp_path
    for name in set(sys.modules) - before:
        file = sys.modules[name].__dict__.get("__file__")
        if name.partition(".")[0] == "caffe" or (file and Path(file).is_relative_to(tmp_path)):
            del sys.modules[name]
