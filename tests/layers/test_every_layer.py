"""What makes a layer part of the package: its module, its import, its row, its words."""

import re
from pathlib import Path

import pytest

import caffepy.layers
from caffepy.graph.kinds import KINDS
from caffepy.layers.layer import layer_classes, layer_types
from caffepy.proto import LayerParameter

FOLDER = Path(caffepy.layers.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
REGISTERED = re.compile(r'^@register\("(\w+)"\)$', re.MULTILINE)


def types_of(module: str) -> list[str]:
    return REGISTERED.findall((FOLDER / f"{module}.py").read_text())


def test_the_package_imports_each_module_that_registers_a_type() -> None:
    text = (FOLDER / "__init__.py").read_text()
    imported = re.findall(r"^from caffepy\.layers import (\w+) as \1$", text, re.MULTILINE)

    assert imported == [module for module in MODULES if types_of(module)]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_registers_at_most_one_type(module: str) -> None:
    assert len(types_of(module)) <= 1


def test_each_row_of_the_table_of_types_has_a_layer_and_each_layer_a_row() -> None:
    assert layer_types() == sorted(KINDS)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_each_type_says_what_it_computes_and_where_it_is_from(name: str) -> None:
    doc = layer_classes()[name].__doc__

    assert doc is not None
    assert "Top" in doc
    assert "Source:" in doc


@pytest.mark.parametrize("name", sorted(KINDS))
def test_each_row_names_fields_of_the_message(name: str) -> None:
    assert set(KINDS[name].fields) <= set(LayerParameter.DESCRIPTOR.fields_by_name)
