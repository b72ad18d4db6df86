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
_ESCAPED = re.compile(
    r"""([^\\]|\\([abfnrtv\\?'"]|[0-7]{1,3}|[xX][0-9a-fA-F]{1,2}
    |u[0-9a-fA-F]{4}|U00(0[0-9a-fA-F]|10)[0-9a-fA-F]{4}))*""",
    re.VERBOSE,
)
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|[xX][0-9a-fA-F]{1,2}|u.{4}|U.{8}|.)", re.DOTALL)
_CONTROLS = dict(zip(b"abfnrtv", b"\a\b\f\n\r\t\v", strict=True))


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


def is_string(field: FieldDescriptor) -> bool:
    """Whether a field takes a string."""
    return field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)


def read_scalar(field: FieldDescriptor, tokens: text_format.Tokenizer) -> Scalar:
    """Consume one value of a field that is no message.

    Raises:
        ValueError: the token is no such value; the text says what is. The token is left standing,
            but for a string, of which all parts are consumed.
    """
    if is_string(field):
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
    value = _whole(token)
    if not low <= value <= high:
        raise ValueError(f"{field.name} takes a whole number from {low} to {high}, got {token}")
    return value


def _whole(token: str) -> int:
    """The number that an integer's token stands for: decimal, octal from 0 on, hex from 0x on."""
    digits = token.lstrip("-")
    octal = digits[1:].isdigit() and digits[0] == "0"
    return int(token, 8 if octal else 0)


def _float(field: FieldDescriptor, token: str) -> float:
    if not _FLOAT.fullmatch(token):
        raise ValueError(f"{field.name} takes a number, got {shown(token)}")
    return text_format.ParseFloat(token)


def _bool(field: FieldDescriptor, token: str) -> bool:
    if _INTEGER.fullmatch(token) and _whole(token) in (0, 1):
        return bool(_whole(token))
    if token not in ("true", "True", "t", "false", "False", "f"):
        raise ValueError(f"{field.name} takes true or false, got {shown(token)}")
    return text_format.ParseBool(token)


def _enum(name: str, kind: EnumDescriptor, token: str) -> int:
    values = kind.values_by_name
    if token in values:
        return values[token].number
    if _INTEGER.fullmatch(token) and _whole(token) in kind.values_by_number:
        return _whole(token)
    if token.strip("\"'") in values:
        raise ValueError(f"{name} takes a name without quotes, got {token}")
    allowed = ", ".join(values)
    raise ValueError(f"{name} takes one of {allowed}, got {shown(token)}{near(token, values)}")


def _string(field: FieldDescriptor, tokens: text_format.Tokenizer) -> str | bytes:
    """A string in all its parts, which may follow each other."""
    if not tokens.token.startswith(("'", '"')):
        raise ValueError(f"{field.name} takes a string in quotes, got {shown(tokens.token)}")
    parts = []
    while tokens.token.startswith(("'", '"')):
        parts.append(tokens.token)
        tokens.NextToken()
    value = b"".join(_unescaped(field.name, part) for part in parts)
    try:
        return value if field.type == FieldDescriptor.TYPE_BYTES else value.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"the string of {field.name} is not UTF-8") from error


def _unescaped(name: str, token: str) -> bytes:
    if len(token) < 2 or token[-1] != token[0]:
        raise ValueError(f"the string of {name} has no closing quote on its line")
    if not _ESCAPED.fullmatch(token[1:-1]):
        raise ValueError(
            f"the string of {name} has a backslash that starts no escape; "
            r"write / in paths, or \\ for a backslash"
        )
    return _ESCAPE.sub(_escape, token[1:-1].encode("utf-8", "surrogateescape"))


def _escape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if code[:1] in b"01234567":
        return bytes([int(code, 8) % 256])
    if code[:1] in b"xX":
        return bytes([int(code[1:], 16)])
    if code[:1] in b"uU":
        return chr(int(code[1:], 16)).encode("utf-8", "surrogatepass")
    return bytes([_CONTROLS.get(code[0], code[0])])
