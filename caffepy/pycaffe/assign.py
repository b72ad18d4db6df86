"""Python values into the fields of messages, by name."""

from collections.abc import Iterable, Mapping
from typing import cast

import numpy as np
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from caffepy.errors import NetError, near
from caffepy.graph.kinds import KINDS
from caffepy.proto import LayerParameter


class SpecError(NetError, AttributeError):
    """A layer type, field or enum value that there is not; an AttributeError, as in pycaffe."""


def param_name_dict() -> dict[str, str]:
    """By the name of a message without "Parameter", its field in a layer without "_param"."""
    return {
        field.message_type.name.removesuffix("Parameter"): field.name.removesuffix("_param")
        for field in LayerParameter.DESCRIPTOR.fields
        if field.message_type is not None and field.name.endswith("_param")
    }


def assign_proto(proto: Message, name: str, val: object) -> None:
    """Put a Python value into a field of a message.

    Dicts become messages, lists (tuples, arrays) repeated fields, strings also enum values; a
    repeated field takes a value that is no list as its only one.

    Raises:
        SpecError: the message has no such field, or the enum no such value.
        TypeError: the field takes no such value.
    """
    descriptor = cast("Descriptor", proto.DESCRIPTOR)
    message, known = descriptor.name, descriptor.fields_by_name
    if name not in known:
        raise SpecError(f"{message} has no field {name!r}{near(name, known)}")
    field = known[name]
    try:
        if field.is_repeated:
            for value in _as_list(val):
                _append(proto, field, value)
        elif field.message_type is not None:
            _fill(getattr(proto, name), val)
        else:
            setattr(proto, name, _number(field, val))
    except (TypeError, ValueError) as error:
        raise TypeError(f"{message}.{name} cannot be {val!r}: {error}") from error


def set_params(layer: LayerParameter, params: Mapping[str, object]) -> None:
    """Put a layer's settings into the message of its type, or where that has none, into its own.

    Raises:
        SpecError: neither has a field of this name.
        TypeError: a field takes no such value.
    """
    field = _own_field(layer.type)
    own = None if field is None else LayerParameter.DESCRIPTOR.fields_by_name[field].message_type
    for name, val in params.items():
        try:
            if own is None or name.endswith("param") or name not in own.fields_by_name:
                _check(layer, name, [] if own is None else own.fields_by_name)
                assign_proto(layer, name, val)
            else:
                assign_proto(getattr(layer, cast("str", field)), name, val)
        except (SpecError, TypeError) as error:
            raise type(error)(f"layer {layer.name!r} ({layer.type}): {error}") from error


def _append(proto: Message, field: FieldDescriptor, value: object) -> None:
    repeated = getattr(proto, field.name)
    if isinstance(value, Mapping) and field.message_type is not None:
        _fill(repeated.add(), value)
    else:
        repeated.append(_number(field, value))


def _fill(message: Message, val: object) -> None:
    if not isinstance(val, Mapping):
        raise TypeError("it is a message, and takes a dict")
    for name, value in val.items():
        assign_proto(message, name, value)


def _as_list(val: object) -> list[object]:
    if isinstance(val, np.ndarray):
        return cast("list[object]", np.atleast_1d(val).tolist())
    return list(val) if isinstance(val, list | tuple) else [val]


def _number(field: FieldDescriptor, val: object) -> object:
    """A value as the field takes it: an enum's by its number, others as they are."""
    if field.enum_type is None or not isinstance(val, str):
        return val
    values = field.enum_type.values_by_name
    if val not in values:
        raise SpecError(f"{field.enum_type.name} has no value {val!r}{near(val, values)}")
    return values[val].number


def _check(layer: LayerParameter, name: str, own: Iterable[str]) -> None:
    """Raise SpecError, with near names of both messages, for a setting that neither has."""
    general = layer.DESCRIPTOR.fields_by_name
    if name not in general:
        raise SpecError(f"no field {name!r}{near(name, [*own, *general])}")


def _own_field(type_name: str) -> str | None:
    """The field of a type's own message: by the message's name, or the only one it reads."""
    if type_name in _param_names:
        return f"{_param_names[type_name]}_param"
    fields = KINDS[type_name].fields if type_name in KINDS else ()
    return fields[0] if len(fields) == 1 else None


_param_names = param_name_dict()
