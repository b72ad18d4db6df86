"""Files of messages: prototxts, and the binary files that Caffe calls *proto, *model and *state."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import DecodeError, EncodeError, Message

from caffepy.errors import ParseError, SnapshotError, near_file
from caffepy.proto.position import Position
from caffepy.proto.text import parse_text as parse_text

M = TypeVar("M", bound=Message)

TEMPORARY = ".tmp"  # the end of the name of a file that is not yet whole
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
    write_bytes(path, encode(message, path))


def encode(message: Message, path: str | Path) -> bytes:
    """A message as it is to stand in the file of this name.

    Raises:
        SnapshotError: the message is larger than protobuf's 2 GB, or lacks a required field.
    """
    try:
        return message.SerializeToString()
    except EncodeError as error:
        raise SnapshotError(f"cannot write {path}: {error}") from error


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write a file, whole or not at all.

    Raises:
        SnapshotError: the file cannot be written.
    """
    with staged(path, data) as take_name:
        take_name()


@contextmanager
def staged(path: str | Path, data: bytes) -> Iterator[Callable[[], None]]:
    """Write a file beside its name, and give it the name when what this yields is called.

    The bytes are on the disk before, and the name is afterwards, so that a crash, a full disk or a
    lost folder leaves what was there. A file that never gets its name is removed.

    Raises:
        SnapshotError: the file cannot be written.
    """
    target = Path(path)
    temporary = target.parent / f".{target.name}.{os.getpid()}{TEMPORARY}"

    def take_name() -> None:
        with _refusing(target):
            temporary.replace(target)
            _flush_folder(target.parent)

    try:
        with _refusing(target):
            _write_through(temporary, data)
        del data  # as large as the net: what is staged next should not need room beside it
        yield take_name
    finally:
        with suppress(OSError):  # the folder may be gone, and is not what to complain of
            temporary.unlink(missing_ok=True)


def remove(path: str | Path) -> None:
    """Remove a file, if it is there.

    Raises:
        SnapshotError: the file is there and cannot be removed.
    """
    try:
        Path(path).unlink(missing_ok=True)
    except OSError as error:
        raise SnapshotError(f"cannot remove {path}: {error.strerror}") from error


def write_text(path: str | Path, message: Message) -> None:
    """Write a message as a prototxt, whole or not at all.

    Raises:
        SnapshotError: the file cannot be written.
    """
    write_bytes(path, to_text(message).encode())


def write_plain(path: str | Path, text: str) -> None:
    """Write a text that is no message, whole or not at all.

    Raises:
        SnapshotError: the file cannot be written.
    """
    write_bytes(path, text.encode())


def is_prototxt(data: bytes) -> bool:
    """Whether the start of a file reads as text: a field's name or a comment, nothing binary."""
    start = data[:512]
    return _FIRST_FIELD.match(start) is not None and _CONTROL.search(start) is None


def is_hdf5(path: str | Path) -> bool:
    """Whether a file is HDF5, by its first bytes; one that is not there is not.

    Raises:
        ParseError: the file cannot be read.
    """
    if not Path(path).is_file():
        return False
    try:
        with Path(path).open("rb") as file:
            return file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE
    except OSError as error:
        raise ParseError(unreadable(path, error)) from error


def unreadable(path: str | Path, error: OSError) -> str:
    """What to say of a file that cannot be opened, with names like its own where it is missing."""
    hint = near_file(Path(path)) if isinstance(error, FileNotFoundError) else ""
    return f"cannot read {path}: {error.strerror}{hint}"


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ParseError(unreadable(path, error)) from error


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """What the disk refuses, as an error that names the file."""
    try:
        yield
    except OSError as error:
        raise SnapshotError(f"cannot write {path}: {error.strerror}") from error


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Let a name in a folder outlive a crash of the machine, where the file system can do that."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems refuse it; the file itself is written
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
