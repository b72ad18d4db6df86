"""Files of messages: prototxts, and the binary files that Caffe calls *proto, *model and *state."""

import os
import re
from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import DecodeError, EncodeError, Message

from caffepy.errors import ParseError, SnapshotError, near
from caffepy.proto.position import Position
from caffepy.proto.text import parse_text as parse_text

M = TypeVar("M", bound=Message)

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_FIRST_FIELD = re.compile(rb"\s*(#|[A-Za-z_]\w*\s*[:{<])")


def read_text(path: str | Path, message: type[M]) -> tuple[M, Position]:
    """Read a prototxt, and the place of each of its fields.

    Raises:
        ParseError: a file that cannot be read, or one line "file:line:column: …" an error in it.
    """
    return parse_text(_read(path), message, str(path))


def read_binary(path: str | Path, message: type[M]) -> M:
    """Read a message as Caffe's programs write it: a mean image, a solverstate, a net.

    Raises:
        ParseError: a file that cannot be read, is cut short, or holds something else.
    """
    data = _read(path)
    name = message.DESCRIPTOR.name
    if not data:
        raise ParseError(f"{path}: the file is empty, a binary {name} is expected")
    if is_prototxt(data):
        raise ParseError(f"{path}: this is a text file (a prototxt?), a binary {name} is expected")
    try:
        result = message.FromString(data)
    except DecodeError as error:
        raise ParseError(
            f"{path}: {len(data)} bytes that are cut short, or no binary {name}"
        ) from error
    if not result.ListFields():
        raise ParseError(f"{path}: {len(data)} bytes with no field of {name} among them")
    return result


def to_text(message: Message) -> str:
    """A message as a prototxt, fields in the order of their numbers."""
    return text_format.MessageToString(message)


def write_binary(path: str | Path, message: Message) -> None:
    """Write a message as Caffe's programs read it, whole or not at all.

    Raises:
        SnapshotError: the file cannot be written, or the message is larger than protobuf's 2 GB.
    """
    try:
        data = message.SerializeToString()
    except EncodeError as error:
        raise SnapshotError(f"cannot write {path}: {error}") from error
    _write(Path(path), data)


def write_text(path: str | Path, message: Message) -> None:
    """Write a message as a prototxt, whole or not at all.

    Raises:
        SnapshotError: the file cannot be written.
    """
    _write(Path(path), to_text(message).encode())


def write_plain(path: str | Path, text: str) -> None:
    """Write a text that is no message, whole or not at all.

    Raises:
        SnapshotError: the file cannot be written.
    """
    _write(Path(path), text.encode())


def is_prototxt(data: bytes) -> bool:
    """Whether the start of a file reads as text: a field's name or a comment, nothing binary."""
    start = data[:512]
    return _FIRST_FIELD.match(start) is not None and _CONTROL.search(start) is None


def is_hdf5(path: str | Path) -> bool:
    """Whether a file is HDF5, by its first bytes; one that is not there is not."""
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        return file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE


def unreadable(path: str | Path, error: OSError) -> str:
    """What to say of a file that cannot be opened, with names like its own where it is missing."""
    file = Path(path)
    hint = ""
    if isinstance(error, FileNotFoundError) and file.parent.is_dir():
        hint = near(file.name, (other.name for other in file.parent.iterdir()))
    return f"cannot read {path}: {error.strerror}{hint}"


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ParseError(unreadable(path, error)) from error


def _write(path: Path, data: bytes) -> None:
    """Write a file by way of a temporary one beside it, which takes the name last.

    It is flushed to the disk before, so that a crash or a full disk leaves what was there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise SnapshotError(f"cannot write {path}: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
