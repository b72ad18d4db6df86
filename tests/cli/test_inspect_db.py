import json
from pathlib import Path

import pytest
from PIL import Image

from caffepy.cli.main import main
from caffepy.data.datum import encoded_datum, to_datum
from caffepy.proto import DataParameter, Datum
from tests.data.databases import ramp, write_datums, write_images


@pytest.fixture(autouse=True)
def databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory: an LMDB of images of two sizes, and a LevelDB."""
    monkeypatch.chdir(tmp_path)
    write_datums(Path("db"), [to_datum(ramp(4, 5 if n < 3 else 6), 7 + n % 2) for n in range(5)])
    write_images(Path("level"), [ramp(3, 2, 1)], "png", DataParameter.LEVELDB)


def test_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect_db", "db"]) == 0

    size = sum(to_datum(ramp(4, 5 if n < 3 else 6), 7).ByteSize() for n in range(5))
    assert capsys.readouterr().out == (
        "db: LMDB, 5 records\n"
        "keys: 00 to 04\n"
        f"values: {size} bytes, {size / 5:g} on average\n"
        "5 of 5: raw bytes\n"
        "sizes (channels x height x width):\n"
        "        3 3x4x5\n"
        "        2 3x4x6\n"
        "labels: 2, from 7 to 8\n"
        "        3 7\n"
        "        2 8\n"
    )


def test_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect_db", "--json", "--backend=leveldb", "level"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert (found["backend"], found["count"], found["kinds"]) == ("LEVELDB", 1, {"PNG file": 1})
    assert found["sizes"] == [{"channels": 1, "height": 3, "width": 2, "count": 1}]
    assert (found["labels"], found["first_key"], found["last_key"]) == ({"0": 1}, "00", "00")
    assert found["mean_bytes"] == found["bytes"]


def test_long_histograms_and_damage_are_cut_short(capsys: pytest.CaptureFixture[str]) -> None:
    datums = [*[to_datum(ramp(1, 1), label) for label in range(30)], encoded_datum(b"bad", 0)]
    write_datums(Path("long"), [*datums, Datum(channels=1, height=1, width=1, data=b"x")])

    assert main(["inspect_db", "long"]) == 0

    out = capsys.readouterr().out
    assert "labels: 30, from 0 to 29; 1 records have none\n" in out
    assert out.endswith("        1 19\n       10 in 10 more; --json lists them\n")
    assert "1 of 32: damaged\n  long: record '30': not an image" in out


@pytest.mark.parametrize(("count", "width"), [("1", 160), ("4", 312), ("99", 464)])
def test_draws_a_contact_sheet(count: str, width: int) -> None:
    assert main(["inspect_db", "db", "--contact-sheet", "sheet.png", "--count", count]) == 0

    with Image.open("sheet.png") as sheet:
        assert sheet.width == width


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        pytest.param(["none"], 1, "none: no such database", id="no database"),
        pytest.param(["db", "--count=0"], 2, "--count is 0", id="count"),
        pytest.param(["db", "--backend=leveldb"], 1, "is LEVELDB, but db", id="backend"),
        pytest.param(["db", "--contact-sheet=no/x.png"], 1, "there is no folder 'no'", id="folder"),
        pytest.param(["db", "--contact-sheet=x.foo"], 1, "no type of pictures", id="type"),
    ],
)
def test_refuses(
    words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect_db", *words]) == code

    out, err = capsys.readouterr()
    assert message in err
    assert not out
