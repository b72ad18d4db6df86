"""One value of a prototxt, of each type, as Caffe takes or refuses it."""

import math
import re

import pytest
from google.protobuf.text_format import Tokenizer

from caffepy.proto import caffe_pb2
from caffepy.proto.scalars import read_scalar, shown


def read(field: str, text: str) -> object:
    """The value that a text gives a field, "Message.field"."""
    message, name = field.split(".")
    descriptor = caffe_pb2.DESCRIPTOR.message_types_by_name[message].fields_by_name[name]
    return read_scalar(descriptor, Tokenizer([text]))


INT32, UINT32, INT64 = (
    "CropParameter.axis",
    "PoolingParameter.stride",
    "SolverParameter.random_seed",
)
FLOAT, BOOL, STRING = "PowerParameter.scale", "DataParameter.mirror", "LayerParameter.name"
ENUM, BYTES = "PoolingParameter.pool", "Datum.data"


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        pytest.param(INT32, "-1", -1, id="negative"),
        pytest.param(INT32, "- 1", -1, id="minus apart"),
        pytest.param(INT32, "0x1F", 31, id="hexadecimal"),
        pytest.param(INT32, "010", 8, id="octal"),
        pytest.param(UINT32, "4294967295", 2**32 - 1, id="largest uint32"),
        pytest.param(INT64, "-9223372036854775808", -(2**63), id="smallest int64"),
        pytest.param(FLOAT, "2", 2.0, id="float without point"),
        pytest.param(FLOAT, ".5", 0.5, id="float without zero"),
        pytest.param(FLOAT, "1.", 1.0, id="float without digits"),
        pytest.param(FLOAT, ".1f", 0.1, id="float with f"),
        pytest.param(FLOAT, "-1.5E-3F", -0.0015, id="float with exponent"),
        pytest.param(FLOAT, "-inf", -math.inf, id="infinity"),
        pytest.param(BOOL, "true", True, id="true"),
        pytest.param(BOOL, "True", True, id="True"),
        pytest.param(BOOL, "t", True, id="t"),
        pytest.param(BOOL, "1", True, id="1 for true"),
        pytest.param(BOOL, "0x1", True, id="hexadecimal for true"),
        pytest.param(BOOL, "false", False, id="false"),
        pytest.param(BOOL, "0", False, id="0 for false"),
        pytest.param(ENUM, "AVE", 1, id="enum by name"),
        pytest.param(ENUM, "2", 2, id="enum by number"),
        pytest.param(ENUM, "01", 1, id="enum by octal number"),
        pytest.param(STRING, '"conv 1"', "conv 1", id="double quotes"),
        pytest.param(STRING, "'conv \"1\"'", 'conv "1"', id="single quotes"),
        pytest.param(STRING, "\"con\" 'v1'", "conv1", id="string in parts"),
        pytest.param(STRING, r'"a\\b\n\x41\101"', "a\\b\nAA", id="escapes"),
        pytest.param(STRING, r'"\X42\?\7\400"', "B?\7\0", id="rare escapes"),
        pytest.param(STRING, r'"a\u00e9" "\U0001F600"', "aé\U0001f600", id="Unicode escapes"),
        pytest.param(STRING, '"数据"', "数据", id="UTF-8"),
        pytest.param(BYTES, r'"\377\x00"', b"\xff\x00", id="bytes"),
    ],
)
def test_takes(field: str, text: str, value: object) -> None:
    found = read(field, text)

    assert found == value
    assert type(found) is type(value)


def test_takes_nan() -> None:
    found = read(FLOAT, "nan")

    assert isinstance(found, float)
    assert math.isnan(found)


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        pytest.param(INT32, "1.0", "axis takes a whole number, got '1.0'", id="float for int"),
        pytest.param(INT32, "1_0", "axis takes a whole number, got '1_0'", id="underscore"),
        pytest.param(INT32, '"1"', "axis takes a whole number, got '\"1\"'", id="string for int"),
        pytest.param(
            INT32,
            "2147483648",
            "axis takes a whole number from -2147483648 to 2147483647, got 2147483648",
            id="too large",
        ),
        pytest.param(
            UINT32,
            "-1",
            "stride takes a whole number from 0 to 4294967295, got -1",
            id="negative for unsigned",
        ),
        pytest.param(FLOAT, "0x10", "scale takes a number, got '0x10'", id="hexadecimal float"),
        pytest.param(FLOAT, "1_0.5", "scale takes a number, got '1_0.5'", id="float, underscore"),
        pytest.param(FLOAT, "f", "scale takes a number, got 'f'", id="only the suffix"),
        pytest.param(FLOAT, ".", "scale takes a number, got '.'", id="only the point"),
        pytest.param(BOOL, "yes", "mirror takes true or false, got 'yes'", id="yes"),
        pytest.param(BOOL, "TRUE", "mirror takes true or false, got 'TRUE'", id="TRUE"),
        pytest.param(
            ENUM,
            "MAXX",
            "pool takes one of MAX, AVE, STOCHASTIC, got 'MAXX'; did you mean 'MAX'?",
            id="enum misspelt",
        ),
        pytest.param(
            ENUM, "9", "pool takes one of MAX, AVE, STOCHASTIC, got '9'", id="enum, no such number"
        ),
        pytest.param(
            ENUM, '"MAX"', 'pool takes a name without quotes, got "MAX"', id="enum in quotes"
        ),
        pytest.param(STRING, "conv1", "name takes a string in quotes, got 'conv1'", id="no quotes"),
        pytest.param(
            STRING, '"conv1', "the string of name has no closing quote on its line", id="unclosed"
        ),
        pytest.param(
            STRING,
            r'"C:\data"',
            r"the string of name has a backslash that starts no escape; write / in paths, "
            r"or \\ for a backslash",
            id="Windows path",
        ),
        pytest.param(STRING, r'"\377"', "the string of name is not UTF-8", id="bytes for string"),
        pytest.param(STRING, '"\udcb5"', "the string of name is not UTF-8", id="another encoding"),
        pytest.param(INT32, "", "axis takes a whole number, got the end of the file", id="nothing"),
    ],
)
def test_refuses(field: str, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read(field, text)


@pytest.mark.parametrize(
    ("token", "text"),
    [
        pytest.param("conv1", "'conv1'", id="a word"),
        pytest.param("", "the end of the file", id="nothing"),
        pytest.param("\N{FULLWIDTH COLON}", "'\uff1a' (U+FF1A)", id="look-alike"),
        pytest.param("\udcb5", "the byte 0xB5, which is not UTF-8", id="another encoding"),
    ],
)
def test_tokens_are_shown_so_that_one_sees_what_they_are(token: str, text: str) -> None:
    assert shown(token) == text
