import os
from pathlib import Path

import pytest

from caffepy.data.image_list import Entry, read_list
from caffepy.errors import DataError


def write(folder: Path, text: bytes) -> Path:
    path = folder / "list.txt"
    path.write_bytes(text)
    return path


@pytest.mark.parametrize(
    ("line", "name", "label"),
    [
        pytest.param(b"a.png 3", "a.png", 3, id="plain"),
        pytest.param(b"two words.jpg 7", "two words.jpg", 7, id="name with a space"),
        pytest.param(b"a  b 1", "a  b", 1, id="name with two spaces"),
        pytest.param(b" a 1", " a", 1, id="name that starts with a space"),
        pytest.param(b"a.png -1", "a.png", -1, id="negative"),
        pytest.param(b"a.png +12", "a.png", 12, id="plus"),
        pytest.param(b"a.png 3\r", "a.png", 3, id="Windows line"),
        pytest.param(b"a.png 3  ", "a.png", 3, id="trailing spaces"),
        pytest.param(b"a.png -2147483648", "a.png", -(2**31), id="smallest"),
        pytest.param("Ä.png 1".encode(), "Ä.png", 1, id="UTF-8"),
        pytest.param(b"\xef\xbb\xbfa.png 1", "a.png", 1, id="Windows mark of UTF-8"),
        pytest.param(b"\xff\xc4.png 1", os.fsdecode(b"\xff\xc4.png"), 1, id="other bytes"),
    ],
)
def test_parts_name_and_label_at_the_last_space(
    tmp_path: Path, line: bytes, name: str, label: int
) -> None:
    assert read_list(write(tmp_path, line + b"\n")) == [Entry(name, label, 1)]


def test_passes_over_blank_lines_and_counts_them(tmp_path: Path) -> None:
    path = write(tmp_path, b"\na 1\n \nb 2\n\n")

    assert read_list(path) == [Entry("a", 1, 2), Entry("b", 2, 4)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(b"a 1\nb\n", ":2: no label in 'b'", id="no label"),
        pytest.param(b"a\t1\n", r":1: no label in 'a\\t1'; .*a space between", id="tab"),
        pytest.param(b" 1\n", ":1: no label in ' 1'", id="no name"),
        pytest.param(b"a cat\n", ":1: label 'cat' is not a whole number", id="word"),
        pytest.param(b"a 1.5\n", r":1: label '1\.5' is not a whole number", id="fraction"),
        pytest.param(b"a 3x\n", ":1: label '3x' is not a whole number", id="number and more"),
        pytest.param(b"a 1_0\n", ":1: label '1_0' is not", id="Python's number"),
        pytest.param(b"a 2147483648\n", ":1: label 2147483648 does not fit", id="too large"),
        pytest.param(b"\n\n", ": no images in this list", id="empty"),
    ],
)
def test_refuses(tmp_path: Path, text: bytes, message: str) -> None:
    with pytest.raises(DataError, match=r"list\.txt" + message):
        read_list(write(tmp_path, text))


def test_refuses_a_missing_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt': No such file"):
        read_list(tmp_path / "none.txt")
