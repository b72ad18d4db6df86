"""A message with the places of its fields, so that both can be moved together."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message

from caffepy.graph.problem import Problem
from caffepy.proto import NetParameter, V1LayerParameter
from caffepy.proto.position import Position

M_co = TypeVar("M_co", bound=Message, covariant=True)


@dataclass(frozen=True)
class Entry(Generic[M_co]):
    """A message, its place in the file, and below it the places of its fields."""

    message: M_co
    position: Position

    def place(self, field: str, index: int = 0) -> Position:
        """The place of one value of a field; where the file has none, that of the message."""
        places = self.position.fields.get(field, [])
        return places[index] if index < len(places) else bare(self.position)

    def error(self, text: str, *field: str | int) -> Problem:
        """A problem that stops the run, at a field of this message."""
        return Problem("error", str(self.position.at(*field)), text)

    def warning(self, text: str, *field: str | int) -> Problem:
        """A problem to show, at a field of this message."""
        return Problem("warning", str(self.position.at(*field)), text)


def layers_of(net: Entry[NetParameter]) -> Iterator[Entry[V1LayerParameter]]:
    """The net's `layers`, of V0 or V1."""
    for index, layer in enumerate(net.message.layers):
        yield Entry(layer, net.place("layers", index))


def copy_without(net: NetParameter, *fields: str) -> NetParameter:
    """A copy of the net less some fields, whose size, that of the weights maybe, it does not cost."""
    copy = NetParameter()
    for field, value in net.ListFields():
        if field.name not in fields:
            _assign(copy, field.name, value)
    return copy


def bare(position: Position, **fields: list[Position]) -> Position:
    """The same place, with these places of fields inside and no others."""
    return Position(position.file, position.line, position.column, fields)


def copied(position: Position, **fields: list[Position]) -> Position:
    """The same place, with a list of its own of the fields inside, some of them changed."""
    return bare(position, **{**position.fields, **fields})


def carry(source: Entry[Message], field: str, target: Entry[Message], *path: str) -> None:
    """Set a field of the target, at a path of field names, to a field of the source.

    Values are added to a repeated field, and take the place of a single one. Their places go with
    them. Raises ValueError where the number does not fit the target's field.
    """
    places = source.position.fields.get(field, [])
    message, position = target.message, target.position
    for name in path[:-1]:
        message = getattr(message, name)
        position = position.fields.setdefault(name, [bare(source.place(field))])[0]
    repeated = _assign(message, path[-1], getattr(source.message, field))
    before = position.fields.get(path[-1], []) if repeated else []
    position.fields[path[-1]] = [*before, *places]


def _assign(message: Message, field: str, value: object) -> bool:
    """Set a field, or add to it; whether it is a repeated one."""
    current = getattr(message, field)
    if isinstance(current, Message):
        current.CopyFrom(value)  # type: ignore[arg-type]  # both are of the table's choosing
        current.SetInParent()
    elif message.DESCRIPTOR.fields_by_name[field].is_repeated:
        current.extend([value] if isinstance(value, bool | int | float | str) else value)
        return True
    else:
        setattr(message, field, value)
    return False
