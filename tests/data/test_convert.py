import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Lock

import numpy as np
import pytest

from caffepy.data.convert import (
    PACK,
    PACK_BYTES,
    Images,
    Options,
    convert,
    make_pack,
    packs,
)
from caffepy.data.database import open_database
from caffepy.data.datum import decode, parse_datum
from caffepy.data.image_list import Entry, read_list
from caffepy.data.image_record import Form
from caffepy.data.images import Pixels, decode_image, encode_image
from caffepy.data.lmdb import LMDB
from caffepy.data.resize import resize
from caffepy.errors import DataError
from caffepy.proto import DataParameter, Datum
from tests.data.databases import ramp

RAW = Options()
IMAGES = {
    "a.png": ramp(4, 5),
    "b c.bmp": ramp(6, 3, 3, 9),
    "d.JPG": ramp(16, 8),
    "grey.png": ramp(4, 5, 1),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Image files, and one that is none."""
    for name, image in IMAGES.items():
        (tmp_path / name).write_bytes(encode_image(image, name[-3:].lower()))
    (tmp_path / "broken.jpg").write_bytes(b"broken")
    return tmp_path


def listed(folder: Path) -> Images:
    """The images that list.txt names."""
    listing = folder / "list.txt"
    return Images(str(listing), f"{folder}/", read_list(listing))


def run(folder: Path, lines: list[str], options: Options = RAW) -> dict[str, Datum]:
    """The records, by key, of a list of images of the folder."""
    listing = folder / "list.txt"
    listing.write_text("\n".join(lines))
    convert(listed(folder), folder / "db", options)
    database = LMDB(folder / "db")
    keys = list(database.keys())
    return {key.decode(): parse_datum(database.get(key)) for key in keys}


def planes(image: Pixels) -> Pixels:
    return image.transpose(2, 0, 1)


def test_stores_pixels_and_labels_in_the_order_of_the_list(folder: Path) -> None:
    records = run(folder, ["b c.bmp 7", "a.png -1", "grey.png 3", "a.png 2"])

    assert [(key, datum.label) for key, datum in records.items()] == [
        ("00000000_b c.bmp", 7),
        ("00000001_a.png", -1),
        ("00000002_grey.png", 3),
        ("00000003_a.png", 2),
    ]
    for key, datum in records.items():
        image = IMAGES[key[9:]]
        assert not datum.encoded
        np.testing.assert_array_equal(
            decode(datum), planes(np.broadcast_to(image, (*image.shape[:2], 3)))
        )


def test_packs_full_of_small_files_are_for_one_thread_at_a_time(folder: Path) -> None:
    work = partial(make_pack, root=f"{folder}/", form=Form(), alone=Lock())
    full = [(b"", Entry("a.png", 0, 1))] * PACK

    with ThreadPoolExecutor(2) as pool, work.keywords["alone"]:
        waiting, other = pool.submit(work, full), pool.submit(work, full[1:])
        assert len(other.result()) == PACK - 1
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.2)

    assert len(waiting.result()) == PACK


def test_small_files_are_taken_in_packs(tmp_path: Path) -> None:
    sizes = {"small": 100, "large": PACK_BYTES}
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(bytes(size))
    names = ["small"] * 6 + ["large", "large", "none", "small"]
    todo = [(b"%d" % number, Entry(name, 0, number)) for number, name in enumerate(names)]

    taken = list(packs(f"{tmp_path}/", todo, 5))

    assert [len(pack) for pack in taken] == [5, 2, 1, 2]
    assert [item for pack in taken for item in pack] == todo


def test_unreadable_images_and_blank_lines_leave_holes(folder: Path) -> None:
    records = run(folder, ["broken.jpg 0", "a.png 1", "", "none.png 2", "a.png 3"])

    assert list(records) == ["00000001_a.png", "00000004_a.png"]


def test_tells_why_images_were_left_out(folder: Path) -> None:
    listing = folder / "list.txt"
    listing.write_text("a.png 0\nbroken.jpg 0\n" + "none.png 0\n" * 30)

    summary = convert(listed(folder), folder / "db", RAW)

    assert (summary.stored, summary.skipped, len(summary.reasons)) == (1, 31, 20)
    assert summary.reasons[0].startswith(f"line 2: '{folder}/broken.jpg': not an image")
    assert summary.reasons[1] == f"line 3: '{folder}/none.png': No such file or directory"


def test_grey(folder: Path) -> None:
    records = run(folder, ["a.png 0"], Options(Form(gray=True)))

    expected = decode_image(folder / "a.png", color=False)
    np.testing.assert_array_equal(decode(records["00000000_a.png"]), planes(expected))


def test_resizes_to_height_and_width(folder: Path) -> None:
    records = run(folder, ["a.png 0", "b c.bmp 0"], Options(Form(size=(7, 2))))

    for key, datum in records.items():
        np.testing.assert_array_equal(decode(datum), planes(resize(IMAGES[key[9:]], 7, 2)))


@pytest.mark.parametrize(
    ("encode", "line", "kept"),
    [
        pytest.param("", "a.png 0", True, id="own type"),
        pytest.param("", "d.JPG 0", True, id="own type in capitals"),
        pytest.param("", "grey.png 0", True, id="own type, grey"),
        pytest.param("png", "a.png 0", True, id="PNG as PNG"),
        pytest.param("PNG", "a.png 0", True, id="PNG in capitals"),
        pytest.param("jpeg", "d.JPG 0", True, id="JPEG by its other name"),
        pytest.param("png", "d.JPG 0", False, id="JPEG as PNG"),
    ],
)
def test_keeps_files_that_have_the_type(folder: Path, encode: str, line: str, kept: bool) -> None:
    name = line.removesuffix(" 0")

    (datum,) = run(folder, [line], Options(Form(encode=encode))).values()

    assert datum.encoded
    assert not datum.HasField("channels")
    assert (datum.data == (folder / name).read_bytes()) is kept
    np.testing.assert_array_equal(decode_image(datum.data), decode_image(folder / name))


def test_resized_files_have_their_own_type(folder: Path) -> None:
    records = run(folder, ["a.png 0", "d.JPG 0"], Options(Form(size=(8, 8), encode="")))

    assert records["00000000_a.png"].data.startswith(b"\x89PNG")
    assert records["00000001_d.JPG"].data.startswith(b"\xff\xd8\xff")


def test_files_without_a_type_cannot_be_encoded_anew(folder: Path) -> None:
    (folder / "a.png").rename(folder / "a")

    with pytest.raises(DataError, match="/a': cannot be encoded as ''; types written: bmp"):
        run(folder, ["a 0"], Options(Form(size=(8, 8), encode="")))


def test_warns_that_kept_files_stay_in_colour(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(folder, ["a.png 0"], Options(Form(gray=True, encode="")))

    assert "image files kept as they are stay in colour" in caplog.text


def test_shuffles_in_the_same_way_each_time(folder: Path) -> None:
    lines = [f"a.png {label}" for label in range(20)]

    def labels(seed: int) -> list[int]:
        records = run(folder, lines, Options(seed=seed))
        (folder / "db").rename(folder / f"db{len(list(folder.iterdir()))}")
        assert list(records) == [f"{number:08d}_a.png" for number in range(20)]
        return [datum.label for datum in records.values()]

    first = labels(0)
    assert sorted(first) == list(range(20)) != first
    assert labels(0) == first
    assert labels(1) != first


def test_check_size(folder: Path) -> None:
    assert len(run(folder, ["a.png 0", "grey.png 0"], Options(check_size=True))) == 2


@pytest.mark.parametrize("encode", [None, ""], ids=["raw", "encoded"])
def test_check_size_refuses_a_second_size(folder: Path, encode: str | None) -> None:
    with pytest.raises(
        DataError,
        match=r"line 2: 'b c\.bmp' is 6 rows x 3 columns x 3 channels, "
        r"but the first image, 'a\.png', is 4 rows x 5 columns x 3 channels",
    ):
        run(folder, ["a.png 0", "b c.bmp 0"], Options(Form(encode=encode), check_size=True))
    assert not (folder / "db").exists()


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        pytest.param(["a.png cat"], RAW, "list.txt:1: label 'cat'", id="label"),
        pytest.param([], RAW, "no images in this list", id="empty list"),
        pytest.param(
            ["a.png 0"], Options(Form(encode="gif")), "cannot be encoded as 'gif'", id="type"
        ),
        pytest.param(["a" * 503 + " 0"], RAW, "has 512 bytes; LMDB takes 1 to 511", id="long name"),
        pytest.param(
            ["broken.jpg 0", "none 1"],
            RAW,
            r"none of its 2 images can be read:\nline 1: .*broken.*\nline 2: .*none': No such",
            id="nothing readable",
        ),
    ],
)
def test_refuses_and_leaves_no_database(
    folder: Path, lines: list[str], options: Options, message: str
) -> None:
    before = sorted(folder.iterdir())

    with pytest.raises(DataError, match=message):
        run(folder, lines, options)

    assert sorted(folder.iterdir()) == sorted([*before, folder / "list.txt"])


def test_hints_at_a_root_without_a_slash(folder: Path) -> None:
    (folder / "list.txt").write_text("a.png 0")

    with pytest.raises(DataError, match="is put before each name without a '/'"):
        convert(Images("list.txt", str(folder), read_list(folder / "list.txt")), folder / "db", RAW)


def test_refuses_a_target_that_exists_before_any_work(folder: Path) -> None:
    run(folder, ["a.png 0"])

    with pytest.raises(DataError, match="db: exists already"):
        run(folder, ["none.png 0"])


def test_logs_and_tells_progress(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    (folder / "list.txt").write_text("a.png 0\n" * 1500 + "none.png 0\n")
    told: list[tuple[int, int]] = []

    convert(listed(folder), folder / "db", RAW, lambda *at: told.append(at))

    assert caplog.messages == [
        "A total of 1501 images.",
        "Processed 1000 files.",
        "Processed 1500 files.",
    ]
    assert told == [(done, 1501) for done in range(1, 1502)]
    assert len(LMDB(folder / "db")) == 1500


KINDS = [DataParameter.LMDB, DataParameter.LEVELDB]
LINES = "".join(f"a.png {label}\n" for label in range(40)).replace("a.png 3\n", "broken.jpg 3\n")


def interrupt_at(number: int) -> Callable[[int, int], None]:
    """What is told progress, and ends it like Ctrl-C."""

    def progress(done: int, _total: int) -> None:
        if done == number:
            raise KeyboardInterrupt

    return progress


def records(path: Path) -> list[tuple[bytes, bytes]]:
    database = open_database(path)
    found = islice(database.records(), len(database))
    return [(record.key, bytes(record.value)) for record in found]


@pytest.mark.parametrize("backend", KINDS, ids=["lmdb", "leveldb"])
@pytest.mark.parametrize(
    "options", [RAW, Options(seed=5, check_size=True)], ids=["in order", "shuffled and checked"]
)
def test_an_interrupted_build_is_gone_on_with(
    folder: Path, options: Options, backend: DataParameter.DB, caplog: pytest.LogCaptureFixture
) -> None:
    options = replace(options, backend=backend)
    (folder / "list.txt").write_text(LINES)
    convert(listed(folder), folder / "whole", options)

    with pytest.raises(KeyboardInterrupt):
        convert(listed(folder), folder / "db", options, interrupt_at(11))
    assert not (folder / "db").exists()
    assert "db.unfinished holds the 1" in caplog.text
    with pytest.raises(KeyboardInterrupt):
        convert(listed(folder), folder / "db", options, interrupt_at(25), resume=True)
    told: list[tuple[int, int]] = []
    summary = convert(
        listed(folder), folder / "db", options, lambda *at: told.append(at), resume=True
    )

    assert (summary.stored, summary.skipped) == (39, 1)
    assert told[-1] == (40, 40)
    assert len(told) < 20
    assert records(folder / "db") == records(folder / "whole")
    assert not (folder / "db.unfinished").exists()


def test_an_image_that_has_become_readable_is_stored_by_resume(folder: Path) -> None:
    (folder / "list.txt").write_text("broken.jpg 0\na.png 1\na.png 2\n")
    with pytest.raises(KeyboardInterrupt):
        convert(listed(folder), folder / "db", RAW, interrupt_at(2))
    (folder / "broken.jpg").write_bytes((folder / "a.png").read_bytes())

    assert convert(listed(folder), folder / "db", RAW, resume=True).skipped == 0

    assert [key for key, _ in records(folder / "db")] == [
        b"00000000_broken.jpg",
        b"00000001_a.png",
        b"00000002_a.png",
    ]


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        pytest.param("a.png 0\na.png 7\n", RAW, "begun with list", id="label"),
        pytest.param("a.png 0\nd.JPG 1\n", RAW, "begun with list", id="name"),
        pytest.param(
            "a.png 0\na.png 1\na.png 2\n", RAW, "list of 2 images .* of 3 images", id="longer"
        ),
        pytest.param("", Options(Form(gray=True)), "with gray False, .* is True", id="gray"),
        pytest.param("", Options(Form(size=(2, 3))), r"width None, .* is \(2, 3\)", id="size"),
        pytest.param("", Options(Form(short=4)), "resize-short None, .* is 4", id="short side"),
        pytest.param("", Options(seed=3), "begun with list", id="shuffled"),
        pytest.param("", Options(backend=KINDS[1]), "with backend LMDB", id="backend"),
    ],
)
def test_resume_refuses_another_list_and_other_options(
    folder: Path, lines: str, options: Options, message: str
) -> None:
    (folder / "list.txt").write_text("a.png 0\na.png 1\n")
    with pytest.raises(KeyboardInterrupt):
        convert(listed(folder), folder / "db", RAW, interrupt_at(1))
    if lines:
        (folder / "list.txt").write_text(lines)

    with pytest.raises(DataError, match=rf"db\.unfinished: was .*{message}"):
        convert(listed(folder), folder / "db", options, resume=True)

    assert (folder / "db.unfinished").exists()


def test_check_size_holds_what_resume_adds_against_what_is_there(folder: Path) -> None:
    (folder / "list.txt").write_text("a.png 0\nb c.bmp 1\n")
    with pytest.raises(KeyboardInterrupt):
        convert(listed(folder), folder / "db", Options(check_size=True), interrupt_at(1))

    with pytest.raises(DataError, match=r"but the first image, 'a\.png', is 4 rows x 5 columns"):
        convert(listed(folder), folder / "db", Options(check_size=True), resume=True)
