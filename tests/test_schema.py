"""The schema is Caffe's: every message, field and enum value of BVLC Caffe 1.0, and few of ours."""

import csv
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from caffepy.proto import caffe_pb2

TABLE = Path(__file__).parent / "golden" / "schema" / "caffe.tsv"
ROWS = list(csv.DictReader(TABLE.read_text().splitlines(), delimiter="\t"))
OURS = {
    "BestTest",
    "LayerState",
    "NamedBlob",
    "NetPositions",
    "RandomResizedCropParameter",
    "RunState",
    "SourcePosition",
}
# Of types of forks.
OURS |= {
    "BNParameter",
    "DetectionOutputParameter",
    "DistortionParameter",
    "InterpParameter",
    "NonMaximumSuppressionParameter",
    "NormalizeParameter",
    "PSROIPoolingParameter",
    "PermuteParameter",
    "PriorBoxParameter",
    "ROIPoolingParameter",
    "ReorgParameter",
    "SaveOutputParameter",
    "ShuffleChannelParameter",
    "SmoothL1LossParameter",
    "UpsampleParameter",
}
OUR_ENUMS = {
    "PoolNormOrder",
    "BNParameter.BNMode",
    "BNParameter.Engine",
    "BatchNormParameter.Engine",
    "PriorBoxParameter.CodeType",
}
# Fields that only forks have, by their numbers there.
FORKS = {
    "BatchNormParameter": {5, 6, 7, 15},
    "LayerParameter": {45, 159, 164, 202, 203, 204, 206},
    "SolverParameter": {53, 56, 150, 151},
    "SolverState": {5, 6},
}
TYPES = {
    number: name.removeprefix("TYPE_").lower()
    for name, number in vars(FieldDescriptor).items()
    if name.startswith("TYPE_")
}


def local(descriptor: Descriptor | EnumDescriptor) -> str:
    return descriptor.full_name.removeprefix("caffepy.")


def described(field: FieldDescriptor) -> dict[str, str]:
    """A field as a row of the table has it."""
    kind = field.message_type or field.enum_type
    label = "required" if field.is_required else "repeated" if field.is_repeated else "optional"
    default = ""
    if field.has_default_value:
        value = field.default_value
        default = field.enum_type.values_by_number[value].name if field.enum_type else repr(value)
    return {
        "field": field.name,
        "number": str(field.number),
        "label": label,
        "type": local(kind) if kind else TYPES[field.type],
        "default": default,
        "packed": "packed" if field.is_packed else "",
    }


MESSAGES = caffe_pb2.DESCRIPTOR.message_types_by_name
ENUMS = {
    local(enum): enum
    for owner in (
        caffe_pb2.DESCRIPTOR.enum_types_by_name,
        *(m.enum_types_by_name for m in MESSAGES.values()),
    )
    for enum in owner.values()
}


@pytest.mark.parametrize("name", sorted({row["message"] for row in ROWS if row["label"] != "enum"}))
def test_fields_are_those_of_caffe(name: str) -> None:
    expected = [row for row in ROWS if row["message"] == name]

    found = [described(field) | {"message": name} for field in MESSAGES[name].fields]

    by_number = {
        field["number"]: field
        for field in found
        if int(field["number"]) < 10_000 and int(field["number"]) not in FORKS.get(name, ())
    }
    assert by_number == {row["number"]: row for row in expected}


@pytest.mark.parametrize("name", sorted({row["message"] for row in ROWS if row["label"] == "enum"}))
def test_enums_are_those_of_caffe(name: str) -> None:
    expected = {row["field"]: int(row["number"]) for row in ROWS if row["message"] == name}

    assert {value.name: value.number for value in ENUMS[name].values} == expected


def test_nothing_is_left_out_and_what_is_ours_is_marked() -> None:
    caffes = {row["message"] for row in ROWS if row["label"] != "enum"}

    assert set(MESSAGES) == caffes | OURS
    assert set(ENUMS) == {row["message"] for row in ROWS if row["label"] == "enum"} | OUR_ENUMS
