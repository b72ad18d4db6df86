"""Files of messages: what is read back is what was written, and errors name the file."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from caffepy.errors import ParseError, SnapshotError
from caffepy.proto import BlobProto, LayerParameter, NetParameter, SolverState
from caffepy.proto.files import (
    HDF5_SIGNATURE,
    is_hdf5,
    is_prototxt,
    read_binary,
    read_text,
    remove,
    staged,
    to_text,
    write_binary,
    write_plain,
    write_text,
)

NET = NetParameter(
    name="n", layer=[LayerParameter(name="a", type="Dropout", blobs=[BlobProto(data=[1, 2])])]
)


def said_of(path: Path) -> str:
    """What is said of a file that should hold a binary NetParameter, less its path."""
    with pytest.raises(ParseError) as caught:
        read_binary(path, NetParameter)
    return str(caught.value).replace(str(path), "FILE")


def test_text_goes_out_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    write_text(path, NET)

    message, position = read_text(path, NetParameter)

    assert message == NET
    assert str(position.at("layer", 0, "type")) == f"{path}:4:3"


def test_floats_are_written_as_people_write_them() -> None:
    assert to_text(LayerParameter(loss_weight=[0.1, 1e-8])) == (
        "loss_weight: 0.1\nloss_weight: 1e-08\n"
    )


def test_binary_goes_out_and_comes_back(tmp_path: Path) -> None:
    write_binary(tmp_path / "a.caffemodel", NET)

    assert read_binary(tmp_path / "a.caffemodel", NetParameter) == NET


def test_errors_in_text_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text("name: 3\n")

    with pytest.raises(ParseError) as caught:
        read_text(path, NetParameter)

    assert str(caught.value) == f"{path}:1:7: name takes a string in quotes, got '3'"


@pytest.mark.parametrize("read", [read_text, read_binary])
def test_a_missing_file_is_named_with_its_neighbours(
    tmp_path: Path, read: Callable[[Path, type[NetParameter]], object]
) -> None:
    (tmp_path / "lenet_solver.prototxt").touch()

    with pytest.raises(ParseError) as caught:
        read(tmp_path / "lenet_solvr.prototxt", NetParameter)

    assert str(caught.value) == (
        f"cannot read {tmp_path}/lenet_solvr.prototxt: No such file or directory; "
        "did you mean 'lenet_solver.prototxt'?"
    )


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match=f"^cannot read {tmp_path}: Is a directory$"):
        read_text(tmp_path, NetParameter)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any file")
def test_a_file_may_be_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.touch(mode=0o000)

    with pytest.raises(ParseError, match=f"^cannot read {path}: Permission denied$"):
        read_text(path, NetParameter)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "FILE: the file is empty, a binary NetParameter is expected", id="empty"),
        pytest.param(
            NET.SerializeToString()[:-1],
            "FILE: 29 bytes that are cut short, or no binary NetParameter",
            id="cut short",
        ),
        pytest.param(
            b'name: "LeNet"\nlayer {\n}\n',
            "FILE: this is a text file (a prototxt?), a binary NetParameter is expected",
            id="text",
        ),
        pytest.param(
            b"# LeNet\n",
            "FILE: this is a text file (a prototxt?), a binary NetParameter is expected",
            id="text, a comment",
        ),
        pytest.param(
            SolverState(iter=5).SerializeToString(),
            "FILE: 2 bytes with no field of NetParameter among them",
            id="another message",
        ),
    ],
)
def test_what_is_no_binary_message_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)

    assert said_of(path) == message


@pytest.mark.parametrize("write", [write_binary, write_text])
def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, write: Callable[[Path, NetParameter], None]
) -> None:
    path = tmp_path / "kept"
    path.mkdir()  # so that the name cannot be taken

    with pytest.raises(SnapshotError, match=f"^cannot write {path}: Is a directory$"):
        write(path, NET)

    assert [found.name for found in tmp_path.iterdir()] == ["kept"]


def test_plain_text_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_plain(tmp_path / "a.txt", "é\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\n"

    with pytest.raises(SnapshotError, match=f"^cannot write {tmp_path}: Is a directory$"):
        write_plain(tmp_path, "text")


@pytest.mark.parametrize("folder", ["", ".", "..", "/"])
def test_a_folder_without_a_name_of_its_own_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SnapshotError, match=r"^cannot write "):
        write_plain(folder, "text")

    assert list(tmp_path.iterdir()) == []


def test_a_file_is_written_in_place_of_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "a.caffemodel"
    path.write_bytes(b"older and longer than what follows, by far: " * 9)

    write_binary(path, NET)

    assert path.read_bytes() == NET.SerializeToString()
    assert [found.name for found in tmp_path.iterdir()] == ["a.caffemodel"]


def test_a_file_cannot_be_written_into_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match=r"No such file or directory$"):
        write_binary(tmp_path / "nowhere" / "a.caffemodel", NET)


def test_a_staged_file_has_no_name_until_it_is_given_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    with staged(path, b"new") as take_name:
        assert path.read_bytes() == b"old"
        take_name()
        assert path.read_bytes() == b"new"

    assert [found.name for found in tmp_path.iterdir()] == ["a"]


def test_a_staged_file_that_gets_no_name_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "a"

    with pytest.raises(KeyboardInterrupt), staged(path, b"new"):
        raise KeyboardInterrupt

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_lost_meanwhile_is_told_with_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "lost"
    folder.mkdir()

    with staged(folder / "a", b"new") as take_name:
        folder.rename(tmp_path / "elsewhere")
        with pytest.raises(SnapshotError, match=f"^cannot write {folder}/a: No such file"):
            take_name()


def test_a_file_is_removed_if_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch()

    remove(path)
    remove(path)

    assert not path.exists()
    with pytest.raises(SnapshotError, match=f"^cannot remove {tmp_path}: Is a directory$"):
        remove(tmp_path)


def test_what_lacks_a_required_field_is_not_written(tmp_path: Path) -> None:
    layer = LayerParameter()
    layer.clip_param.min = 1

    with pytest.raises(SnapshotError, match=r"clip_param\.max"):
        write_binary(tmp_path / "a", layer)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"\n# a comment", True, id="comment"),
        pytest.param(b"layer {", True, id="message"),
        pytest.param(b"  name : 'a'\r\n", True, id="scalar"),
        pytest.param(NET.SerializeToString(), False, id="binary"),
        pytest.param(b"\x89HDF\r\n\x1a\n", False, id="HDF5"),
        pytest.param(b"hello", False, id="a word"),
    ],
)
def test_is_prototxt(data: bytes, expected: bool) -> None:
    assert is_prototxt(data) is expected


def test_is_hdf5(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(HDF5_SIGNATURE + b"more")
    (tmp_path / "b").write_bytes(HDF5_SIGNATURE[:-1])

    assert [is_hdf5(tmp_path / name) for name in ("a", "b", "none", ".")] == [
        *(True, False, False, False)
    ]
