"""What `caffepy train` says of each kind of bad input, and that it exits with 1."""

from collections.abc import Callable
from pathlib import Path

import pytest

from caffepy.cli.main import main
from caffepy.data.datum import encoded_datum, to_datum
from caffepy.data.images import encode_image
from caffepy.data.lmdb import LMDBWriter
from caffepy.proto import Datum
from tests.data.databases import ramp, write_datums, write_images

NET = """\
name: "small"
layer {
  name: "data"
  type: "Data"
  top: "data"
  top: "label"
  data_param { source: "db" batch_size: 2 backend: LMDB }
}
layer {
  name: "ip"
  type: "InnerProduct"
  bottom: "data"
  top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 0.01 } }
}
layer {
  name: "loss"
  type: "SoftmaxWithLoss"
  bottom: "ip"
  bottom: "label"
  top: "loss"
}
"""
SOLVER = """\
net: "net.prototxt"
base_lr: 1e-6
lr_policy: "fixed"
max_iter: 4
snapshot_prefix: "small"
random_seed: 1
"""
TRAIN = ["train", "-solver", "solver.prototxt"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a training of three images that works."""
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(NET)
    Path("solver.prototxt").write_text(SOLVER)
    write_images(tmp_path / "db", [ramp(4, 5), ramp(4, 5, start=9), ramp(4, 5, start=70)])
    return tmp_path


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The error message, without its marks."""
    lines = capsys.readouterr().err.splitlines()
    return "\n".join(
        line.removeprefix("caffepy: error: ") for line in lines if line.startswith("caffepy:")
    )


def edit(name: str, old: str, new: str) -> None:
    """Replace a part of a file that is there."""
    text = Path(name).read_text()
    assert old in text
    Path(name).write_text(text.replace(old, new))


def remake(write: Callable[[Path], object]) -> None:
    """Write another database in the place of the good one."""
    for path in Path("db").iterdir():
        path.unlink()
    Path("db").rmdir()
    write(Path("db"))


def test_the_good_input_trains(folder: Path) -> None:
    assert main(TRAIN) == 0
    assert (folder / "small_iter_4.caffemodel").exists()


@pytest.mark.parametrize(
    ("name", "old", "new", "messages"),
    [
        pytest.param(
            "solver.prototxt",
            "net.prototxt",
            "nets.prototxt",
            ["solver.prototxt:1:1: net file 'nets.prototxt' is not there"],
            id="missing file",
        ),
        pytest.param(
            "solver.prototxt",
            "base_lr",
            "base_rate",
            ["solver.prototxt:2:1: SolverParameter has no field 'base_rate'"],
            id="misspelt field of the solver",
        ),
        pytest.param(
            "net.prototxt",
            "num_output: 3 weight_filler",
            "num_outputs: 3 weigth_filler",
            [
                "net.prototxt:14:25: InnerProductParameter has no field 'num_outputs'; "
                "did you mean 'num_output'?",
                "net.prototxt:14:40: InnerProductParameter has no field 'weigth_filler'; "
                "did you mean 'weight_filler' or",
            ],
            id="two misspelt fields of the net",
        ),
        pytest.param(
            "net.prototxt",
            '"InnerProduct"',
            '"InnerProdukt"',
            ["net.prototxt:11:3: layer 'ip': Unknown layer type: InnerProdukt; did you mean"],
            id="unknown type",
        ),
        pytest.param(
            "net.prototxt",
            'bottom: "data"',
            'bottom: "dat"',
            ["net.prototxt:12:3: layer 'ip': Unknown bottom blob 'dat'", "did you mean 'data'?"],
            id="unknown bottom",
        ),
        pytest.param(
            "net.prototxt",
            'top: "ip"',
            'top: "label"',
            ["Top blob 'label' produced by multiple sources.", "net.prototxt:2:1"],
            id="duplicate top",
        ),
        pytest.param(
            "net.prototxt",
            "num_output: 3",
            "",
            ["net.prototxt:14:3: layer 'ip' (InnerProduct): num_output is missing"],
            id="required field of a layer missing",
        ),
        pytest.param(
            "net.prototxt",
            "batch_size: 2",
            "",
            ["layer 'data' (Data): batch_size"],
            id="required field of the data missing",
        ),
        pytest.param(
            "solver.prototxt",
            "fixed",
            "fixt",
            ["solver.prototxt:3:1: lr_policy is 'fixt'", "did you mean 'fixed'?"],
            id="unknown policy",
        ),
        pytest.param(
            "solver.prototxt",
            '"small"',
            '"nowhere/small"',
            ["Cannot write to snapshot prefix 'nowhere/small'."],
            id="unwritable prefix",
        ),
        pytest.param(
            "net.prototxt",
            '"db"',
            '"nodb"',
            ["net.prototxt:2:1: nodb: no such database"],
            id="missing database",
        ),
        pytest.param(
            "solver.prototxt",
            "1e-6",
            "1e38",
            ["the loss is", "which layer 'ip' makes; lower base_lr"],
            id="NaN loss",
        ),
    ],
)
def test_a_bad_file(
    capsys: pytest.CaptureFixture[str], name: str, old: str, new: str, messages: list[str]
) -> None:
    edit(name, old, new)

    assert main(TRAIN) == 1

    message = said(capsys)
    assert all(part in message for part in messages), message
    assert not list(Path().glob("small_iter_*"))


def empty(path: Path) -> None:
    path.mkdir()


def without_records(path: Path) -> None:
    write_datums(path, [])


def cut_short(path: Path) -> None:
    write_images(path, [ramp(40, 50, start=start) for start in range(9)])
    data = (path / "data.mdb").read_bytes()
    (path / "data.mdb").write_bytes(data[: len(data) // 2])


def of_two_sizes(path: Path) -> None:
    write_images(path, [ramp(4, 5), ramp(5, 5)])


def with_a_corrupt_jpeg(path: Path) -> None:
    whole = encode_image(ramp(40, 50), "jpg")
    write_datums(path, [encoded_datum(whole, 0), encoded_datum(whole[:200], 1)])


def of_too_few_bytes(path: Path) -> None:
    short = to_datum(ramp(4, 5), 1)
    short.data = short.data[:-1]
    write_datums(path, [to_datum(ramp(4, 5), 0), short])


def of_no_numbers(path: Path) -> None:
    write_datums(path, [to_datum(ramp(4, 5), 0), Datum(channels=3, height=4, width=5)])


def of_other_messages(path: Path) -> None:
    with LMDBWriter(path) as writer:
        writer.put(b"00", b"\xff no message")


def of_zero_bytes(path: Path) -> None:
    path.mkdir()
    (path / "data.mdb").touch()


def of_other_bytes(path: Path) -> None:
    path.mkdir()
    (path / "data.mdb").write_bytes(bytes(range(256)) * 64)


def with_a_label_too_large(path: Path) -> None:
    write_datums(path, [to_datum(ramp(4, 5), 0), to_datum(ramp(4, 5), 7)])


@pytest.mark.parametrize(
    ("write", "messages"),
    [
        pytest.param(empty, ["net.prototxt:2:1: db: not a database"], id="no database"),
        pytest.param(without_records, ["db: an empty database"], id="no records"),
        pytest.param(cut_short, ["db: cut short: data.mdb has"], id="truncated"),
        pytest.param(
            of_zero_bytes, ["net.prototxt:2:1: db: cut short: data.mdb is empty"], id="zero bytes"
        ),
        pytest.param(of_other_bytes, ["net.prototxt:2:1: db: cannot be opened as an"], id="bytes"),
        pytest.param(of_other_messages, ["db: record '00': not a Datum message"], id="no Datum"),
        pytest.param(
            of_too_few_bytes,
            ["db: record '01': 59 numbers for an image of 3 channels, 4 rows and 5 columns"],
            id="too few bytes",
        ),
        pytest.param(of_no_numbers, ["db: record '01': 0 numbers for an image"], id="no numbers"),
        pytest.param(
            of_two_sizes,
            ["layer 'data'", "db: record '01' is 3x5x5", "'00', is 3x4x5"],
            id="another size",
        ),
        pytest.param(
            with_a_corrupt_jpeg, ["db: record '01': cannot be decoded"], id="corrupt JPEG"
        ),
        pytest.param(
            with_a_label_too_large,
            [
                "layer 'loss'",
                "the label of item 1 is 7",
                "allowed are 0 to 2",
                "it is of db: record '01'",
            ],
            id="label outside the classes",
        ),
    ],
)
def test_a_bad_database(
    capsys: pytest.CaptureFixture[str], write: Callable[[Path], object], messages: list[str]
) -> None:
    remake(write)

    assert main(TRAIN) == 1

    message = said(capsys)
    assert all(part in message for part in messages), message


DATA = 'type: "Data"', 'data_param { source: "db" batch_size: 2 backend: LMDB }'
IMAGE_DATA = 'type: "ImageData"', 'image_data_param { source: "list.txt" batch_size: 2 }'


CROP = "transform_param { crop_size: 4 "


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("lighting_std: 0.1", "lighting_std is set, lighting_file is not"),
        ('lighting_std: 0.1 lighting_file: "none"', "net.prototxt:2:1: 'none': No such file"),
        ("distort_param { hue_prob: 2 }", "distort_param: hue_prob is 2; it is a probability"),
        ("random_resized_crop { max_area: 3 }", "min_area is 0.08 and max_area 3; they are parts"),
        ("crop_h: 3", "crop_size and crop_h are both set"),
        ("ten_crops: true", "TransformationParameter has no field 'ten_crops'; did you mean 'ten_"),
    ],
    ids=["lighting", "lighting file", "distort_param", "random_resized_crop", "crop_h", "misspelt"],
)
def test_a_bad_augmentation(capsys: pytest.CaptureFixture[str], setting: str, message: str) -> None:
    edit("net.prototxt", "data_param {", f"{CROP} {setting} }}\n  data_param {{")

    assert main(TRAIN) == 1

    (line,) = [line for line in said(capsys).splitlines() if message in line]
    column = 3 + len(CROP) + 1 if "'none'" not in message else 1
    assert line.startswith(f"net.prototxt:{2 if column == 1 else 7}:{column}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "net.prototxt:2:1: 'list.txt': No such file", id="missing"),
        pytest.param("", "net.prototxt:2:1: list.txt: no images in this list", id="empty"),
        pytest.param("a.png 0\na.png cat\n", "list.txt:2: label 'cat' is not", id="no label"),
        pytest.param("b.png 0\n", "net.prototxt:2:1: list.txt:1: could not load 'b", id="first"),
        pytest.param(
            "a.png 0\n" * 4 + "b.png 0\n",
            "list.txt:5: could not load 'b.png': No such file",
            id="in the middle",
        ),
    ],
)
def test_a_bad_list_of_images(
    capsys: pytest.CaptureFixture[str], text: str | None, message: str
) -> None:
    for old, new in zip(DATA, IMAGE_DATA, strict=True):
        edit("net.prototxt", old, new)
    Path("a.png").write_bytes(encode_image(ramp(4, 5), "png"))
    if text is not None:
        Path("list.txt").write_text(text)

    assert main(TRAIN) == 1

    assert message in said(capsys)


@pytest.fixture
def weights(capsys: pytest.CaptureFixture[str]) -> bytes:
    assert main(TRAIN) == 0
    capsys.readouterr()
    return Path("small_iter_4.caffemodel").read_bytes()


def test_weights_of_another_shape(capsys: pytest.CaptureFixture[str], weights: bytes) -> None:
    Path("old.caffemodel").write_bytes(weights)
    edit("net.prototxt", "num_output: 3", "num_output: 4")

    assert main([*TRAIN, "-weights", "old.caffemodel"]) == 1

    message = said(capsys)
    assert (
        "old.caffemodel: Cannot copy param 0 of layer 'ip', shape mismatch: 3 60 (180)" in message
    )
    assert "4 60 (240) in the net" in message


def test_truncated_weights(capsys: pytest.CaptureFixture[str], weights: bytes) -> None:
    Path("cut.caffemodel").write_bytes(weights[:-100])

    assert main([*TRAIN, "-weights", "cut.caffemodel"]) == 1

    message = said(capsys)
    assert f"cut.caffemodel ({len(weights) - 100} bytes): cut short" in message


def test_weights_of_another_net(capsys: pytest.CaptureFixture[str], weights: bytes) -> None:
    Path("old.caffemodel").write_bytes(weights)
    edit("net.prototxt", 'name: "ip"', 'name: "fc"')

    assert main([*TRAIN, "-weights", "old.caffemodel"]) == 1

    assert "no layer of this file has the name of a layer of net 'small'" in said(capsys)


def test_a_state_that_is_none(capsys: pytest.CaptureFixture[str], weights: bytes) -> None:
    Path("old.caffemodel").write_bytes(weights)

    assert main([*TRAIN, "-snapshot", "old.caffemodel"]) == 1

    assert "old.caffemodel is no .solverstate" in said(capsys)
