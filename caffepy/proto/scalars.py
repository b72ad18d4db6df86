"""The values of a prototxt's fields: numbers, names, strings and switches, as Caffe reads them."""

import re

from google.protobuf import text_format
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from caffepy.errors import near

Scalar = int | float | bool | str | bytes

_INTEGERS = {  # by type: bits, signed
    FieldDescriptor.TYPE_INT32: (32, True),
    FieldDescriptor.TYPE_INT64: (64, True),
    FieldDescriptor.TYPE_UINT32: (32, False),
    FieldDescriptor.TYPE_UINT64: (64, False),
}
_INTEGER = re.compile(r"-?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_FLOAT = re.compile(
    r"-?(((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?[fF]?|(?i:inf|infinity|nan))"
)
_ESCAPED = re.compile(r"""([^\\]|\\([abfnrtv\\?'"]|[0-7]{1,3}|[xX][0-9a-fA-F]{1,2}))*""")


def shown(token: str) -> str:
    """A token as a message shows it, with the code of a character that looks like another."""
    if not token:
        return "the end of the file"
    if token.isascii() or len(token) > 1:
        return repr(token)
    code = ord(token)
    if 0xDC80 <= code <= 0xDCFF:  # how a byte that is not UTF-8 was decoded
        return f"the byte 0x{code - 0xDC00:02X}, which is not UTF-8"
    return f"{token!r} (U+{code:04X})"


def read_scalar(field: FieldDescriptor, tokens: text_format.Tokenizer) -> Scalar:
    """Consume one value of a field that is no message.

    Raises:
        ValueError: the token is no such value; the text says what is. The token is left standing.
    """
    if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
        return _string(field, tokens)
    token = tokens.token
    if field.enum_type is not None:
        value: Scalar = _enum(field.name, field.enum_type, token)
    elif field.type == FieldDescriptor.TYPE_BOOL:
        value = _bool(field, token)
    else:
        token = _signed(tokens)
        value = _integer(field, token) if field.type in _INTEGERS else _float(field, token)
    tokens.NextToken()
    return value


def _signed(tokens: text_format.Tokenizer) -> str:
    """The token, taken together with a minus that stands apart."""
    if tokens.token != "-":
        return tokens.token
    tokens.NextToken()
    return f"-{tokens.token}"


def _integer(field: FieldDescriptor, token: str) -> int:
    if not _INTEGER.fullmatch(token):
        raise ValueError(f"{field.name} takes a whole number, got {shown(token)}")
    bits, signed = _INTEGERS[field.type]
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    value = text_format.ParseInteger(token, is_signed=True, is_long=True)
    if not low <= value <= high:
        raise ValueError(f"{field.name} takes a whole number from {low} to {high}, got {token}")
    return value


def _float(field: FieldDescriptor, token: str) -> float:
    if not _FLOAT.fullmatch(token):
        raise ValueError(f"{field.name} takes a number, got {shown(token)}")
    return text_format.ParseFloat(token)


def _bool(field: FieldDescriptor, token: str) -> bool:
    if token not in ("true", "True", "t", "1", "false", "False", "f", "0"):
        raise ValueError(f"{field.name} takes true or false, got {shown(token)}")
    return text_format.ParseBool(token)


def _enum(name: str, kind: EnumDescriptor, token: str) -> int:
    values = kind.values_by_name
    if token in values:
        return values[token].number
    if _INTEGER.fullmatch(token) and int(token, 0) in kind.values_by_number:
        return int(token, 0)
    if token.strip("\"'") in values:
        raise ValueError(f"{name} takes a name without quotes, got {token}")
    allowed = ", ".join(values)
    raise ValueError(f"{name} takes one of {allowed}, got {shown(token)}{near(token, values)}")


def _string(field: FieldDescriptor, tokens: text_format.Tokenizer) -> str | bytes:
    token = tokens.token
    if not token.startswith(("'", '"')):
        raise ValueError(f"{field.name} takes a string in quotes, got {shown(token)}")
    if len(token) < 2 or token[-1] != token[0]:
        raise ValueError(f"the string of {field.name} has no closing quote on its line")
    if not _ESCAPED.fullmatch(token[1:-1]):
        raise ValueError(
            f"the string of {field.name} has a backslash that starts no escape; "
            r"write / in paths, or \\ for a backslash"
        )
    try:
        value = tokens.ConsumeByteString()
        return value if field.type == FieldDescriptor.TYPE_BYTES else value.decode()
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(f"the string of {field.name} is not UTF-8") from error
