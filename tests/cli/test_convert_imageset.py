import subprocess
import sys
from pathlib import Path

import pytest

from caffepy.cli.main import main
from caffepy.data.datum import parse_datum
from caffepy.data.images import encode_image
from caffepy.data.leveldb import LevelDB
from caffepy.data.lmdb import LMDB
from tests.data.databases import ramp

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory: images/a.png, images/broken.jpg, and lists of them."""
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    Path("images/a.png").write_bytes(encode_image(ramp(4, 6), "png"))
    Path("images/broken.jpg").write_bytes(b"broken")
    Path("list.txt").write_text("a.png 3\n")
    Path("mixed.txt").write_text("broken.jpg 0\na.png 3\n" + "none.png 0\n" * 25)
    Path("hopeless.txt").write_text("broken.jpg 0\n")


def convert(*flags: str, listing: str = "list.txt") -> int:
    return main(["convert_imageset", *flags, "images/", listing, "db"])


@pytest.mark.parametrize(
    ("flags", "shape", "encoded"),
    [
        pytest.param([], (3, 4, 6), False, id="none"),
        pytest.param(["-gray"], (1, 4, 6), False, id="gray"),
        pytest.param(["--gray=true"], (1, 4, 6), False, id="gray=true"),
        pytest.param(["--gray", "--nogray"], (3, 4, 6), False, id="nogray"),
        pytest.param(["--resize_height=5", "-resize_width", "9"], (3, 5, 9), False, id="resize"),
        pytest.param(["--resize-height=0", "--resize-width=0"], (3, 4, 6), False, id="zero"),
        pytest.param(["--backend=lmdb", "--check_size"], (3, 4, 6), False, id="backend"),
        pytest.param(["--shuffle", "--seed=7"], (3, 4, 6), False, id="shuffle"),
        pytest.param(["--encoded"], (0, 0, 0), True, id="encoded"),
        pytest.param(["--encode_type=jpg"], (0, 0, 0), True, id="encode_type alone"),
    ],
)
def test_flags(flags: list[str], shape: tuple[int, ...], encoded: bool) -> None:
    assert convert(*flags) == 0

    datum = parse_datum(LMDB("db").get(b"00000000_a.png"))
    assert (datum.channels, datum.height, datum.width) == shape
    assert (datum.encoded, datum.label) == (encoded, 3)


def test_writes_leveldb() -> None:
    assert convert("-backend", "leveldb") == 0

    assert list(LevelDB("db").keys()) == [b"00000000_a.png"]


def test_names_the_images_it_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(listing="mixed.txt") == 0

    out, err = capsys.readouterr()
    assert out == ""
    assert "26 of 27 images could not be read and are left out:" in err
    assert "  line 1: 'images/broken.jpg': not an image" in err
    assert err.count("No such file or directory") == 19
    assert err.endswith("  and 6 more\n")


@pytest.mark.parametrize(
    ("flags", "listing", "code", "message"),
    [
        pytest.param([], "none.txt", 1, "'none.txt': No such file", id="no list"),
        pytest.param([], "hopeless.txt", 1, "none of its 1 images can be read", id="no image"),
        pytest.param(["--resize_height=5"], "list.txt", 2, "--resize-width 0; give both", id="one"),
        pytest.param(
            ["--resize_height=-5", "--resize_width=-5"], "list.txt", 2, "is -5", id="negative"
        ),
        pytest.param(["--backend=sqlite"], "list.txt", 2, "choose from", id="backend"),
        pytest.param(["--encode_type=gif"], "list.txt", 1, "as 'gif'; types written", id="type"),
    ],
)
def test_refuses_and_leaves_no_database(
    flags: list[str],
    listing: str,
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sorted(Path().iterdir())

    assert convert(*flags, listing=listing) == code

    assert message in capsys.readouterr().err
    assert sorted(Path().iterdir()) == before


def test_refuses_an_existing_target(capsys: pytest.CaptureFixture[str]) -> None:
    Path("db").mkdir()

    assert convert() == 1
    assert "db: exists already" in capsys.readouterr().err


def test_the_tool_runs_from_any_folder() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "convert_imageset", "images/", "list.txt", "db"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )

    assert "] A total of 1 images.\n" in done.stderr
    assert "] Processed 1 files.\n" in done.stderr
    assert len(LMDB("db")) == 1
