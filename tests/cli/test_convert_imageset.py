import re
import resource
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from caffepy.cli.main import main
from caffepy.data.database import open_database
from caffepy.data.datum import parse_datum
from caffepy.data.images import encode_image
from caffepy.data.leveldb import LevelDB
from caffepy.data.lmdb import LMDB
from caffepy.data.resize import resize
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


@pytest.fixture
def classes() -> None:
    """Folders of classes, train/ and val/, of which the latter lacks one."""
    for name in ("train/b/1.png", "train/a/2.png", "train/a/in/3.png", "val/b/4.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(encode_image(ramp(4, 6), "png"))


def records(path: str) -> list[tuple[bytes, int]]:
    """The keys and labels of a database."""
    database = open_database(path)
    found = islice(database.records(), len(database))
    return [(record.key, parse_datum(record.value).label) for record in found]


@pytest.mark.usefixtures("classes")
@pytest.mark.parametrize("root", ["train", "train/", "./train"])
def test_class_folders_give_labels(root: str) -> None:
    assert main(["convert_imageset", "--class-folders", root, "db"]) == 0

    assert records("db") == [
        (b"00000000_a/2.png", 0),
        (b"00000001_a/in/3.png", 0),
        (b"00000002_b/1.png", 1),
    ]
    assert Path("db.labels.txt").read_text() == "a\nb\n"


@pytest.mark.usefixtures("classes")
def test_a_labels_file_is_written_and_then_followed() -> None:
    words = ["convert_imageset", "--class-folders", "--labels-file", "classes.txt"]
    assert main([*words, "train", "train_db"]) == 0
    assert main([*words, "val", "val_db"]) == 0

    assert Path("classes.txt").read_text() == "a\nb\n"
    assert records("val_db") == [(b"00000000_b/4.png", 1)]
    assert not Path("val_db.labels.txt").exists()


@pytest.mark.usefixtures("classes")
def test_a_labels_file_that_is_followed_is_left_as_it_is() -> None:
    Path("classes.txt").write_text("a\r\n\nb\r\n")

    assert (
        main(["convert_imageset", "--class-folders", "--labels-file=classes.txt", "val", "db"]) == 0
    )

    assert Path("classes.txt").read_bytes() == b"a\r\n\nb\r\n"


@pytest.mark.usefixtures("classes")
def test_where_no_labels_can_be_written_nothing_is_begun(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["convert_imageset", "--class-folders", "--labels-file=no/x.txt", "val", "db"]) == 1

    assert "no/x.txt: there is no folder 'no'" in capsys.readouterr().err
    assert not Path("db").exists()


@pytest.mark.usefixtures("classes")
def test_a_broken_file_of_a_class_is_named_without_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("train/a/0.png").write_bytes(b"broken")

    assert main(["convert_imageset", "--class-folders", "train", "db"]) == 0
    assert "1 of 4 images could not be read and are left out:\n  'train/a/0.png': not an image" in (
        capsys.readouterr().err
    )


def test_the_recipe_of_alexnet() -> None:
    assert convert("--resize-short", "3", "--center-crop=2") == 0

    datum = parse_datum(LMDB("db").get(b"00000000_a.png"))
    whole = resize(ramp(4, 6), 3, 4)
    assert datum.data == whole[:2, 1:3].transpose(2, 0, 1).tobytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["images/", "db"], "LISTFILE is missing; --class-folders", id="no list"),
        pytest.param(
            ["--class-folders", "images/", "list.txt", "db"], "takes no LISTFILE", id="a list"
        ),
        pytest.param(
            ["--labels-file=x", "images/", "list.txt", "db"], "belongs to --class", id="labels"
        ),
        pytest.param(
            ["--resize-short=5", "--resize-height=5", "--resize-width=5", "i/", "l", "db"],
            "exclude each other",
            id="both sizes",
        ),
        pytest.param(
            ["--resize-short=5", "--center-crop=6", "i/", "l", "db"], "only 5 on a side", id="crop"
        ),
        pytest.param(["--center-crop=-6", "i/", "l", "db"], "--center-crop is -6", id="negative"),
        pytest.param(["--resize-short=-6", "i/", "l", "db"], "--resize-short is -6", id="short"),
    ],
)
def test_refuses_words_that_do_not_fit(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert_imageset", *words]) == 2

    assert message in capsys.readouterr().err
    assert not Path("db").exists()


def test_nothing_to_resume(capsys: pytest.CaptureFixture[str]) -> None:
    assert convert("--resume") == 1

    assert "db.unfinished: there is no unfinished database" in capsys.readouterr().err


COMMAND = [sys.executable, "-m", "caffepy", "convert_imageset", "images/", "list.txt"]
RESIZED = ["--resize-height=64", "--resize-width=64"]


def begun(*words: str) -> "subprocess.Popen[str]":
    """A program that has stored some of 8,000 images: more than it can before it is stopped."""
    Path("list.txt").write_text("a.png 3\n" * 8_000)
    program = subprocess.Popen(
        [*COMMAND, *words], stderr=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert program.stderr is not None
    while "Processed 1000" not in program.stderr.readline():
        assert program.poll() is None
    return program


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "form"), [("lmdb", RESIZED), ("lmdb", ["--encoded"]), ("leveldb", RESIZED)]
)
@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        pytest.param(signal.SIGINT, 130, "the same command with --resume goes on", id="Ctrl-C"),
        pytest.param(signal.SIGKILL, -signal.SIGKILL, "", id="killed"),
    ],
)
def test_goes_on_after_the_last_image_stored(
    how: signal.Signals, code: int, said: str, backend: str, form: list[str]
) -> None:
    with begun("db", "--backend", backend, *form) as program:
        program.send_signal(how)
        _, err = program.communicate()

    assert program.returncode == code
    assert said in err
    assert not Path("db").exists()
    done = len(open_database("db.unfinished/db"))
    assert 500 <= done < 8_000  # an LMDB has what was committed
    resumed = subprocess.run(
        [*COMMAND, "db", "--backend", backend, *form, "--resume"],
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    counts = [int(count) for count in re.findall(r"Processed (\d+) files", resumed.stderr)]
    assert counts == [*range(1000 * (done // 1000 + 1), 8_001, 1000)]
    database = open_database("db")
    keys = [b"%08d_a.png" % number for number in range(8_000)]
    assert list(database.keys()) == keys
    assert not Path("db.unfinished").exists()


def no_more_than_a_megabyte() -> None:
    """Let no file of this process grow further, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


@pytest.mark.parametrize("backend", ["lmdb", "leveldb"])
def test_a_full_disk_leaves_nothing_that_looks_whole(backend: str) -> None:
    Path("list.txt").write_text("a.png 3\n" * 200)

    done = subprocess.run(
        [*COMMAND, "db", "--backend", backend, *RESIZED],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT)},
        preexec_fn=no_more_than_a_megabyte,
    )

    assert done.returncode == 1
    assert "caffepy: error: db: cannot be written: " in done.stderr
    assert not Path("db").exists()
    assert not Path("db.labels.txt").exists()
