"""`caffepy download_model_binary`, from a server on this machine."""

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from caffepy.cli.download_model_binary import read_front_matter
from caffepy.cli.main import main
from caffepy.errors import DataError

ROOT = Path(__file__).parents[2]
WEIGHTS = b"weights" * 300_000
SHA1 = hashlib.sha1(WEIGHTS).hexdigest()
README = """\
---
name: A model
caffemodel: net.caffemodel
caffemodel_url: {url}
license: unrestricted
sha1: {sha1}
---

# A model
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where files of tmp_path/served are."""
    served = tmp_path / "served"
    served.mkdir()
    (served / "there.caffemodel").write_bytes(WEIGHTS)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def model(folder: Path, url: str, sha1: str = SHA1) -> Path:
    made = folder / "model"
    made.mkdir()
    (made / "readme.md").write_text(README.format(url=url, sha1=sha1))
    return made


def test_the_file_is_fetched_and_then_kept(
    tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = model(tmp_path, f"{address}/there.caffemodel", SHA1.upper())

    assert main(["download_model_binary", str(folder)]) == 0
    assert (folder / "net.caffemodel").read_bytes() == WEIGHTS
    assert f"Downloading {address}/there.caffemodel" in capsys.readouterr().out

    (tmp_path / "served" / "there.caffemodel").unlink()
    assert main(["download_model_binary", str(folder)]) == 0
    assert capsys.readouterr().out == "Model already exists.\n"


def test_a_file_that_is_another_is_replaced(tmp_path: Path, address: str) -> None:
    folder = model(tmp_path, f"{address}/there.caffemodel")
    (folder / "net.caffemodel").write_bytes(b"cut short")

    assert main(["download_model_binary", str(folder)]) == 0

    assert (folder / "net.caffemodel").read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("name", "sha1", "message"),
    [
        pytest.param("there.caffemodel", "0" * 40, f"SHA-1 is {SHA1}, not 000", id="another file"),
        pytest.param("gone.caffemodel", SHA1, "cannot be downloaded: HTTP Error 404", id="gone"),
    ],
)
def test_fails_and_leaves_what_was_there(
    tmp_path: Path,
    address: str,
    capsys: pytest.CaptureFixture[str],
    name: str,
    sha1: str,
    message: str,
) -> None:
    folder = model(tmp_path, f"{address}/{name}", sha1)
    (folder / "net.caffemodel").write_bytes(b"older")

    assert main(["download_model_binary", str(folder)]) == 1

    assert message in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == ["net.caffemodel", "readme.md"]
    assert (folder / "net.caffemodel").read_bytes() == b"older"


def test_the_script(tmp_path: Path) -> None:
    folder = model(tmp_path, "nowhere:")
    (folder / "net.caffemodel").write_bytes(WEIGHTS)
    script = ROOT / "tools" / "download_model_binary"

    done = subprocess.run([sys.executable, script, folder], capture_output=True, check=True)

    assert done.stdout == b"Model already exists.\n"


@pytest.mark.parametrize(
    ("readme", "message"),
    [
        pytest.param("# A model\n", "begins with lines between two '---'", id="no front matter"),
        pytest.param(
            "---\ncaffemodel: a\n---\n", "there is no caffemodel_url, sha1", id="keys missing"
        ),
        pytest.param(
            "---\ncaffemodel: ../a\ncaffemodel_url: b\nsha1: c\n---\n",
            "caffemodel is '../a', not a file's name",
            id="another folder",
        ),
    ],
)
def test_a_readme_without_a_model(tmp_path: Path, readme: str, message: str) -> None:
    (tmp_path / "readme.md").write_text(readme)

    with pytest.raises(DataError, match=message):
        read_front_matter(tmp_path / "readme.md")


def test_no_readme(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a model's readme"):
        read_front_matter(tmp_path / "readme.md")


def test_alexnet_says_where_its_weights_are() -> None:
    model = read_front_matter(ROOT / "models" / "bvlc_alexnet" / "readme.md")

    assert model["caffemodel"] == "bvlc_alexnet.caffemodel"
    assert len(model["sha1"]) == 40
