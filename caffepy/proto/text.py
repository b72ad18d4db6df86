"""Prototxts: from text to a message, the place of every field, and all that is wrong at once."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn, TypeVar, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.text_format import Tokenizer

from caffepy.errors import ParseError
from caffepy.proto.hints import unknown_field
from caffepy.proto.position import Position
from caffepy.proto.scalars import is_string, read_scalar, shown

M = TypeVar("M", bound=Message)

_CLOSING = {"{": "}", "<": ">"}
_MARKS = {b"\xef\xbb\xbf": "UTF-8", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_SHOWN = 20  # more errors than these are counted only


def parse_text(text: bytes, message: type[M], file: str) -> tuple[M, Position]:
    """Read a prototxt.

    Args:
        text: its content: ASCII and UTF-8 strings; comments may be in any encoding.
        message: what it holds, NetParameter or SolverParameter.
        file: its name, for positions and errors.

    Returns:
        The message, and the place of each field that the text sets.

    Raises:
        ParseError: one line an error, "file:line:column: what is wrong".
    """
    _check_encoding(text, file)
    reader = _Reader(text.decode("utf-8", "surrogateescape"), file)
    result, position = message(), Position(file)
    with suppress(_LostError):
        reader.read_fields(result, position, end="")
        reader.check_required(result, position)
    reader.raise_problems()
    return result, position


def _check_encoding(text: bytes, file: str) -> None:
    for mark, encoding in _MARKS.items():
        if text.startswith(mark):
            raise ParseError(
                f"{file}:1:1: the file starts with the byte-order mark of {encoding}; "
                "save it as UTF-8 without one"
            )
    if b"\0" in text:
        raise ParseError(
            f"{file}: this is no text file (byte {text.index(0)} is 0), but a prototxt is expected"
        )


class _LostError(Exception):
    """The text makes no sense from here on: what follows would only be errors of our own making."""


class _Tokens(Tokenizer):
    """The tokens of a text, and where the current one stands."""

    def place(self) -> tuple[int, int]:
        """Line and column of the current token, from 1."""
        error = self.ParseError("")  # type: ignore[arg-type]  # it takes a str, the stub is wrong
        return error.GetLine() or 0, error.GetColumn() or 0


class _Reader:
    """One walk over the tokens of a file, which fills messages and notes what is wrong."""

    def __init__(self, text: str, file: str) -> None:
        self.tokens = _Tokens(text.split("\n"))
        self.file = file
        self.enclosing: list[Descriptor] = []
        self.problems: list[tuple[Position, str]] = []

    def read_fields(self, message: Message, position: Position, end: str) -> None:
        """Every field of a message, up to the bracket that closes it."""
        with self._inside(_descriptor(message)):
            while self.tokens.token != end:
                self._read_field(message, position, end)
                if not self.tokens.TryConsume(","):
                    self.tokens.TryConsume(";")

    def check_required(self, message: Message, position: Position) -> None:
        """Note the required fields that are nowhere; those with a bad value are noted already."""
        missing = message.FindInitializationErrors()  # type: ignore[attr-defined]  # not in the stub
        for path in missing:
            *parents, name = re.findall(r"\w+", path)
            place = position.at(*(int(part) if part.isdigit() else part for part in parents))
            if name not in place.fields:
                self._problem(place, f"{path.rpartition('.')[0]} has no {name}, which is required")

    def raise_problems(self) -> None:
        """Raise all that was noted as one error, in the order of the file."""
        if not self.problems:
            return
        ordered = sorted(self.problems, key=lambda problem: (problem[0].line, problem[0].column))
        lines = [f"{place}: {text}" for place, text in ordered[:_SHOWN]]
        if len(ordered) > _SHOWN:
            lines.append(f"{self.file}: and {len(ordered) - _SHOWN} more errors")
        raise ParseError("\n".join(lines))

    def _read_field(self, message: Message, position: Position, end: str) -> None:
        name, place = self.tokens.token, self._here()
        if not (name[:1].isascii() and (name[:1].isalpha() or name[:1] == "_")):
            self._lost(message, position, end)
        self.tokens.NextToken()
        field = _descriptor(message).fields_by_name.get(name)
        if field is None:
            self._skip_unknown(_descriptor(message), name, place)
            return
        self._read_colon(field)
        if field.is_repeated and self.tokens.TryConsume("["):
            self._read_list(message, field, position)
        else:
            self._read_value(message, field, position, place)

    def _read_list(self, message: Message, field: FieldDescriptor, position: Position) -> None:
        """The values of `field: [2, 3]`, the opening bracket being read."""
        empty = self.tokens.TryConsume("]")
        while not empty:
            self._read_value(message, field, position, self._here())
            if self.tokens.TryConsume("]"):
                return
            if not self.tokens.TryConsume(","):
                got = shown(self.tokens.token)
                where = f"the list of {field.name}"
                self._problem(self._here(), f"expected , or ] in {where}, got {got}")
                raise _LostError

    def _read_value(
        self, message: Message, field: FieldDescriptor, position: Position, place: Position
    ) -> None:
        places = position.fields.setdefault(field.name, [])
        if places and not field.is_repeated:
            self._problem(place, f"{field.name} is given again, after line {places[0].line}")
        places.append(place)
        if field.message_type is not None:
            self._read_message(_child(message, field), field, place)
            return
        here = self._here()
        try:
            value = read_scalar(field, self.tokens)
        except ValueError as error:
            self._problem(here, str(error))
            if not (is_string(field) and self._here() != here):
                self._skip_value()
        else:
            _store(message, field, value)

    def _read_message(self, message: Message, field: FieldDescriptor, place: Position) -> None:
        closing = _CLOSING.get(self.tokens.token)
        if closing is None:
            got = shown(self.tokens.token)
            self._problem(self._here(), f"{field.name} takes {{ fields }}, got {got}")
            self._skip_value()
            return
        self.tokens.NextToken()
        self.read_fields(message, place, closing)
        self.tokens.NextToken()

    def _read_colon(self, field: FieldDescriptor) -> None:
        """The colon after a name, which a message may go without."""
        if self.tokens.TryConsume(":") or field.message_type is not None:
            return
        token = self.tokens.token
        self._problem(self._here(), f"expected : after {field.name}, got {shown(token)}")
        if token in ("=", "\N{FULLWIDTH COLON}"):
            self.tokens.NextToken()

    def _skip_unknown(self, message: Descriptor, name: str, place: Position) -> None:
        """Note a field that the message does not have, and go on after its value."""
        owner = next(
            (outer for outer in self.enclosing[-2::-1] if name in outer.fields_by_name), None
        )
        hint = unknown_field(message, name)
        if owner is not None:
            hint = f"; {owner.name} has: is a closing bracket missing above?"
        self._problem(place, f"{message.name} has no field {name!r}{hint}")
        colon = self.tokens.TryConsume(":")
        bracket = self.tokens.token in _CLOSING
        if owner is not None and bracket:
            raise _LostError
        if colon or bracket or self.tokens.token[:1] in ('"', "'"):
            self._skip_value()

    def _skip_value(self) -> None:
        """Go on after a value: all that its brackets hold, or one string in all its parts."""
        if not self.tokens.token.isascii():
            raise _LostError  # such as a quotation mark of a word processor
        depth = 0
        while self.tokens.token:
            token = self.tokens.token
            if depth == 0 and token in ("}", ">", "]"):
                return
            depth += (token in ("{", "<", "[")) - (token in ("}", ">", "]"))
            self.tokens.NextToken()
            both_strings = token[0] in "\"'" and self.tokens.token[:1] in ('"', "'")
            if depth == 0 and not both_strings:
                return

    def _lost(self, message: Message, position: Position, end: str) -> NoReturn:
        """Where a field should begin stands what cannot begin one."""
        got = shown(self.tokens.token)
        if end:
            opened = f"{message.DESCRIPTOR.name} that begins on line {position.line}"
            self._problem(
                self._here(), f"expected a field, or the {end} of the {opened}, got {got}"
            )
        else:
            self._problem(self._here(), f"expected a field of {message.DESCRIPTOR.name}, got {got}")
        raise _LostError

    def _here(self) -> Position:
        return Position(self.file, *self.tokens.place())

    def _problem(self, place: Position, text: str) -> None:
        self.problems.append((place, text))

    @contextmanager
    def _inside(self, message: Descriptor) -> Iterator[None]:
        self.enclosing.append(message)
        yield
        self.enclosing.pop()


def _descriptor(message: Message) -> Descriptor:
    return cast("Descriptor", message.DESCRIPTOR)  # the stub adds a union with its C twin


def _store(message: Message, field: FieldDescriptor, value: object) -> None:
    if field.is_repeated:
        getattr(message, field.name).append(value)
    else:
        setattr(message, field.name, value)


def _child(message: Message, field: FieldDescriptor) -> Message:
    """The message to read a field's value into: a new one, or the one there is."""
    child: Message
    if field.is_repeated:
        child = getattr(message, field.name).add()
    else:
        child = getattr(message, field.name)
        child.SetInParent()
    return child
