"""Serialised messages read in place, without a schema: weights are too large to copy about."""

from dataclasses import dataclass, field

from caffepy.errors import ParseError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class Fields:
    """The fields of one message by number, the values of each in order.

    ints: those on the wire as varints. views: the bytes of all others, packed numbers among them;
    they are views of the message's own bytes.
    """

    ints: dict[int, list[int]] = field(default_factory=dict)
    views: dict[int, list[memoryview]] = field(default_factory=dict)

    def text(self, number: int) -> str:
        """A string, "" where it is not set; bytes that are no UTF-8 are shown as escapes."""
        values = self.views.get(number)
        return bytes(values[-1]).decode("utf-8", "backslashreplace") if values else ""

    def joined(self, number: int) -> memoryview:
        """A repeated fixed-size number as one view, however many pieces the writer made of it."""
        values = self.views.get(number, [])
        return values[0] if len(values) == 1 else memoryview(bytearray().join(values))


def read_fields(data: memoryview) -> Fields:
    """Take a serialised message apart, one level deep.

    Raises:
        ParseError: it is cut short, or is no message.
    """
    fields = Fields()
    at = 0
    while at < len(data):
        start = at
        tag, at = read_varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = read_varint(data, at)
            fields.ints.setdefault(number, []).append(value)
            continue
        if kind == BYTES:
            size, at = read_varint(data, at)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise ParseError(f"byte {start} begins no field")
        if not 0 <= size <= len(data) - at:
            raise ParseError(f"cut short: a field of {size} bytes, and only {len(data) - at} left")
        fields.views.setdefault(number, []).append(data[at : at + size])
        at += size
    return fields


def varint(value: int) -> bytes:
    """A number, not negative, as the wire has it: seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: memoryview, at: int) -> tuple[int, int]:
    """The number at a place, as int64, and the place after it; ParseError where it is cut short."""
    value = 0
    for index, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value - (value >> 63 << 64), at + index + 1
    raise ParseError("cut short inside a number")
