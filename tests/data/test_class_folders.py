from pathlib import Path

import pytest

from caffepy.data.class_folders import class_names, follow, list_images, write_labels
from caffepy.errors import DataError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes, one with a folder within, and things that are no classes."""
    for name in ("b/2.png", "b/10.png", "a/in/x.png", "a/y.png", "a/.hidden", ".git/x", "README"):
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).touch()
    return tmp_path / "root"


def test_classes_are_sorted_and_their_files_too(root: Path) -> None:
    names = class_names(root)

    assert names == ["a", "b"]
    assert list_images(root, names) == [
        ("a/in/x.png", 0, 1),
        ("a/y.png", 0, 2),
        ("b/10.png", 1, 3),
        ("b/2.png", 1, 4),
    ]


def test_says_what_it_leaves_out(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    class_names(root)

    assert caplog.messages == [
        f"{root}: not folders of classes, left out: '.git', 'README'",
    ]


def test_a_class_may_be_empty(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    (root / "aa").mkdir()

    entries = list_images(root, class_names(root))

    assert [entry.label for entry in entries] == [0, 0, 2, 2]
    assert "class 'aa' has no files" in caplog.text


def test_labels_are_written_and_followed(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_labels(tmp_path / "labels.txt", ["c", "b", "a"])
    assert (tmp_path / "labels.txt").read_text() == "c\nb\na\n"

    names = follow(tmp_path / "labels.txt", class_names(root))

    assert names == ["c", "b", "a"]
    assert "classes without a folder: 'c'" in caplog.text
    assert [(entry.name, entry.label) for entry in list_images(root, names)] == [
        ("b/10.png", 1),
        ("b/2.png", 1),
        ("a/in/x.png", 2),
        ("a/y.png", 2),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a\n", "labels.txt: has no class 'b', which is a folder", id="strange"),
        pytest.param("a\nbb\n", "did you mean 'bb'", id="near"),
        pytest.param("a\nb\na\n", "labels.txt: class 'a' is there twice", id="twice"),
    ],
)
def test_refuses_labels_that_do_not_fit(
    root: Path, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "labels.txt").write_text(text)

    with pytest.raises(DataError, match=message):
        follow(tmp_path / "labels.txt", class_names(root))


def test_refuses_what_holds_no_classes(root: Path) -> None:
    with pytest.raises(DataError, match=r"none: no such folder"):
        class_names(root / "none")
    with pytest.raises(DataError, match=r"README: not a folder"):
        class_names(root / "README")
    with pytest.raises(DataError, match="there are no folders in it"):
        class_names(root / "b")
    with pytest.raises(DataError, match="its folders hold no files"):
        list_images(root / "a", [])
