"""The tests mirror the source: caffepy/x/y.py is tested by tests/x/test_y.py."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Nothing to test, or tested by running it: see the reason beside each.
EXEMPT = {
    "caffepy/__main__.py",  # tests/cli/test_main.py runs it
    "caffepy/pycaffe/__main__.py",  # tests/pycaffe/test_script.py runs it
}
# Tests of what all modules of a folder have in common, of what they do together, and of the nets of
# models/.
TABLES = {
    "tests/layers/test_every_layer.py",
    "tests/models/test_models.py",
    "tests/pycaffe/test_surface.py",
    "tests/pycaffe/test_trainings.py",
    "tests/solver/test_together.py",
}
SOURCES = [
    path
    for path in sorted((ROOT / "caffepy").rglob("*.py"))
    if path.name != "__init__.py" and not path.name.endswith("_pb2.py")
]


def twin(source: Path) -> Path:
    """The test of a source file."""
    parts = source.relative_to(ROOT / "caffepy").parts
    return ROOT.joinpath("tests", *parts[:-1], f"test_{parts[-1]}")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_has_its_test(source: Path) -> None:
    name = source.relative_to(ROOT).as_posix()

    assert twin(source).exists() is (name not in EXEMPT), f"{twin(source).relative_to(ROOT)}"


def test_every_test_has_its_module() -> None:
    mirrored = {twin(source).relative_to(ROOT).as_posix() for source in SOURCES}
    tests = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").glob("*/**/test_*.py")}

    assert tests - mirrored == TABLES
