from pathlib import Path

import numpy as np
import pytest

from caffepy.data.window_list import WindowImage, WindowList, read_windows
from caffepy.errors import DataError

TWO = """\
# 0
a.jpg
3
20
30
3
7 0.9 1 2 3 4
8 0.4 5 6 7 8
9 0.1 9 10 11 12
# 1
b.png
1
40
50
2
2 0.5 0 0 13 14
4 0.299 0 1 15 16
"""


def read(folder: Path, text: str, fg: float = 0.5, bg: float = 0.3) -> WindowList:
    path = folder / "windows.txt"
    path.write_text(text)
    return read_windows(path, "root/", fg, bg)


def test_windows_are_objects_or_background_or_left_out(tmp_path: Path) -> None:
    windows = read(tmp_path, TWO)

    where = f"{tmp_path}/windows.txt"
    assert windows.images == [
        WindowImage("root/a.jpg", f"{where}:2"),
        WindowImage("root/b.png", f"{where}:11"),
    ]
    assert windows.foreground.tolist() == [[0, 7, 1, 2, 3, 4], [1, 2, 0, 0, 13, 14]]
    assert windows.background.tolist() == [[0, 0, 9, 10, 11, 12], [1, 0, 0, 1, 15, 16]]


def test_overlaps_are_compared_in_float32(tmp_path: Path) -> None:
    tenth = float(np.float32(0.1))  # what a message has of 0.1, which is more than 0.1
    text = "# 0 a 3 2 2 1  1 0.1 0 0 1 1"

    assert len(read(tmp_path, text, tenth, tenth).foreground) == 1
    assert len(read(tmp_path, text, 0.5, tenth).background) == 0


def test_any_white_space_parts_the_words(tmp_path: Path) -> None:
    one = read(tmp_path, TWO)

    other = read(
        tmp_path, "\n" + TWO.replace("\n3\n20\n", " 3\t20\r\n\n").replace("3 4\n", "3\n4 ")
    )

    assert [image.path for image in other.images] == [image.path for image in one.images]
    np.testing.assert_array_equal(other.foreground, one.foreground)
    np.testing.assert_array_equal(other.background, one.background)


def test_an_image_may_have_no_windows(tmp_path: Path) -> None:
    windows = read(tmp_path, "# 0\na\n3\n2\n2\n0\n")

    assert len(windows.images) == 1
    assert windows.foreground.shape == windows.background.shape == (0, 6)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param("# 1", "1", ":10: '1', where # must begin the next image", id="no mark"),
        pytest.param("# 1", "# 2", ":10: image number 2, but it is number 1", id="number"),
        pytest.param("# 1", "# one", ":10: the number of an image is 'one'", id="no number"),
        pytest.param("\n20\n", "\n20.5\n", r":4: height is '20\.5'; a whole number", id="height"),
        pytest.param("\n30\n", "\n-30\n", ":5: width is '-30'; a whole number from 0", id="width"),
        pytest.param("30\n3", "30\n2", ":9: '9', where # must begin the .* above right", id="less"),
        pytest.param("50\n2", "50\n3", ":17: the file ends, where 3 windows", id="more"),
        pytest.param("0.4 5", "much 5", ":8: overlap is 'much'; a number", id="overlap"),
        pytest.param("0.4 5", "nan 5", ":8: overlap is 'nan'; a number", id="nan"),
        pytest.param("5 6 7 8", "5 6 7.5 8", r":8: x2 is '7\.5'; a whole number", id="corner"),
        pytest.param("9 0.1", "cat 0.1", ":9: class is 'cat'; a whole number", id="class"),
        pytest.param("7 0.9", "0 0.9", r":7: class 0 of an object; .*0\.5 \(fg_", id="class 0"),
        pytest.param("2 0.5 0", "-2 0.5 0", ":16: class -2 of an object", id="negative class"),
        pytest.param(TWO, "# 0\na 3", ":2: the file ends, where height must", id="cut short"),
        pytest.param(TWO, "\n \n", ": no images in this window file", id="empty"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert TWO.count(old) == 1

    with pytest.raises(DataError, match=r"windows\.txt" + message):
        read(tmp_path, TWO.replace(old, new))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt': No such file"):
        read_windows(tmp_path / "none.txt", "", 0.5, 0.5)
