"""Image files of every kind that people have, through convert_imageset and through training."""

import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from caffepy.cli.main import main
from caffepy.data.datum import decode, encoded_datum, parse_datum
from caffepy.data.lmdb import LMDB
from tests.data.databases import write_datums

BLUE, GREEN = (10, 20, 200), (10, 200, 20)  # as (red, green, blue)
ORIENTATION = 0x0112
CONVERT = ["convert_imageset", "./", "list.txt", "db"]
TRAIN = ["train", "-solver", "solver.prototxt"]
NET = """\
layer {
  name: "data" type: "%s" top: "data" top: "label"
  %s
}
layer {
  name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 0.01 } }
}
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
IMAGE_DATA = 'image_data_param { source: "list.txt" batch_size: 2 }'
DATA = 'data_param { source: "records" batch_size: 2 }'
SOLVER = """\
net: "net.prototxt" base_lr: 1e-6 lr_policy: "fixed" max_iter: 2 snapshot_prefix: "small"
random_seed: 1
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a solver and one image that is as any other."""
    monkeypatch.chdir(tmp_path)
    Path("solver.prototxt").write_text(SOLVER)
    Path("good.png").write_bytes(saved(picture()))
    return tmp_path


def picture(mode: str = "RGB") -> Image.Image:
    """24 columns of 16 rows: blue, but for its left half, which is green."""
    image = Image.new("RGB", (24, 16), BLUE)
    image.paste(GREEN, (0, 0, 12, 16))
    return image.convert(mode)


def saved(image: Image.Image, kind: str = "PNG", **settings: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def animated(kind: str) -> bytes:
    """Two frames of one size, the second one red."""
    red = Image.new("RGB", (24, 16), (255, 0, 0))
    settings = {"lossless": True} if kind == "WEBP" else {}
    return saved(picture(), kind, save_all=True, append_images=[red], **settings)


def turned() -> bytes:
    """A JPEG that a camera held on its side took: EXIF says how to turn it back."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return saved(picture().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)


def png(mode: int, pixels: bytes, columns: int, rows: int) -> bytes:
    """A PNG of 16 bits a channel, which Pillow does not write; mode 2 is RGB, 6 RGBA."""
    chunks = BytesIO()
    chunks.write(b"\x89PNG\r\n\x1a\n")
    size = columns.to_bytes(4, "big") + rows.to_bytes(4, "big")
    PngImagePlugin.putchunk(chunks, b"IHDR", size + bytes([16, mode, 0, 0, 0]))
    PngImagePlugin.putchunk(chunks, b"IDAT", zlib.compress(pixels))
    PngImagePlugin.putchunk(chunks, b"IEND", b"")
    return chunks.getvalue()


def deep_png() -> bytes:
    """The picture with 16 bits a channel, the lower 8 of which are 0xFF."""
    wide = (np.asarray(picture()).astype(">u2") << 8) | 0xFF
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)
    return png(2, rows, 24, 16)


def transparent_palette() -> bytes:
    return saved(picture().quantize(2), transparency=0)


KINDS = {
    "grey PNG": (saved(picture("L")), "grey"),
    "grey PNG with alpha": (saved(picture("LA")), "grey"),
    "palette PNG": (saved(picture().quantize(2)), "same"),
    "palette PNG with alpha": (transparent_palette(), "same"),
    "PNG with alpha": (saved(picture("RGBA")), "same"),
    "PNG of 16 bits": (deep_png(), "same"),
    "animated PNG": (animated("PNG"), "same"),
    "JPEG": (saved(picture(), "JPEG", quality=95), "near"),
    "grey JPEG": (saved(picture("L"), "JPEG", quality=95), "grey"),
    "CMYK JPEG": (saved(picture("CMYK"), "JPEG", quality=95), "near"),
    "turned JPEG": (turned(), "near"),
    "BMP": (saved(picture(), "BMP"), "same"),
    "TIFF": (saved(picture(), "TIFF"), "same"),
    "TIFF of pages": (animated("TIFF"), "same"),
    "WebP": (saved(picture(), "WEBP", lossless=True), "same"),
    "animated WebP": (animated("WEBP"), "same"),
}


def check(image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], how: str) -> None:
    """Assert that planes (3, 16, 24) show the picture, blue first."""
    expected = np.asarray(picture()).transpose(2, 0, 1)[::-1]
    if how == "grey":
        expected = np.broadcast_to(np.asarray(picture("L")), (3, 16, 24))
    assert image.shape == expected.shape
    inner = np.abs(image.astype(int) - expected)[:, :, [*range(8), *range(16, 24)]]
    assert inner.max() <= {"same": 0, "grey": 2, "near": 30}[how]


@pytest.mark.parametrize(("file", "how"), KINDS.values(), ids=KINDS)
def test_each_kind_is_converted(file: bytes, how: str) -> None:
    Path("some file").write_bytes(file)  # what it is called does not matter
    Path("list.txt").write_text("good.png 0\nsome file 1\n")

    assert main(CONVERT) == 0

    record = parse_datum(LMDB("db").get(b"00000001_some file"))
    check(decode(record).astype(np.uint8), how)


@pytest.mark.parametrize("file", [file for file, _ in KINDS.values()], ids=KINDS)
def test_each_kind_is_trained_on(file: bytes) -> None:
    Path("some file").write_bytes(file)
    Path("list.txt").write_text("good.png 0\nsome file 1\n")
    Path("net.prototxt").write_text(NET % ("ImageData", IMAGE_DATA))

    assert main(TRAIN) == 0


JPEG = saved(Image.effect_noise((64, 48), 50), "JPEG")
BAD = {
    "nothing": (b"", "empty file"),
    "text": (b"404 Not Found\n", "not an image, or damaged; formats read: BMP, "),
    "web page": (b"<html><body>404</body></html>", "not an image, or damaged; formats read: "),
    "truncated JPEG": (JPEG[:-300], "cannot be decoded: image file is truncated"),
    "truncated PNG": (saved(Image.effect_noise((64, 48), 50))[:-300], "cannot be decoded: "),
    "head of a JPEG": (JPEG[:20], "not an image, or damaged"),
    "spoilt PNG": (saved(picture()).replace(b"IDAT", b"IDXT"), "not an image, or damaged"),
    "GIF": (animated("GIF"), "GIF images are not read, as in Caffe; convert it to PNG"),
    "TIFF of floats": (saved(picture("F"), "TIFF"), "cannot be decoded: 32 bits a channel"),
    "bomb": (
        saved(Image.new("1", (20_000, 20_000))),
        "too large an image: Image size (400000000 pixels) exceeds limit of 178956970 pixels",
    ),
}
BADS = pytest.mark.parametrize(("file", "reason"), BAD.values(), ids=BAD)


@BADS
def test_a_bad_file_is_left_out_and_listed(
    capsys: pytest.CaptureFixture[str], file: bytes, reason: str
) -> None:
    Path("bad.jpg").write_bytes(file)
    Path("list.txt").write_text("good.png 0\nbad.jpg 1\ngood.png 2\n")

    assert main(CONVERT) == 0

    said = capsys.readouterr().err
    assert "1 of 3 images could not be read and are left out:\n" in said
    assert f"  line 2: './bad.jpg': {reason}" in said
    assert [*LMDB("db").keys()] == [b"00000000_good.png", b"00000002_good.png"]


@BADS
def test_a_bad_file_ends_a_training_with_its_line(
    capsys: pytest.CaptureFixture[str], file: bytes, reason: str
) -> None:
    Path("bad.jpg").write_bytes(file)
    Path("list.txt").write_text("good.png 0\nbad.jpg 1\n")
    Path("net.prototxt").write_text(NET % ("ImageData", IMAGE_DATA))

    assert main(TRAIN) == 1

    assert f"list.txt:2: could not load 'bad.jpg': {reason}" in capsys.readouterr().err
    assert not list(Path().glob("small_iter_*"))


@BADS
def test_a_bad_file_in_a_record_ends_a_training_with_its_key(
    capsys: pytest.CaptureFixture[str], file: bytes, reason: str
) -> None:
    good = encoded_datum(Path("good.png").read_bytes(), 0)
    write_datums(Path("records"), [good, encoded_datum(file, 1)])
    Path("net.prototxt").write_text(NET % ("Data", DATA))

    assert main(TRAIN) == 1

    assert f"records: record '01': {reason}" in capsys.readouterr().err


def test_folders_and_missing_files_are_left_out_and_listed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("folder.png").mkdir()
    Path("list.txt").write_text("good.png 0\nfolder.png 1\nnone.png 2\n")

    assert main(CONVERT) == 0

    said = capsys.readouterr().err
    assert "  line 2: './folder.png': Is a directory" in said
    assert "  line 3: './none.png': No such file or directory" in said
