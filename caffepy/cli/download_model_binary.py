"""`caffepy download_model_binary`: the published weights of a model's folder."""

import argparse
import hashlib
import os
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import URLError
from urllib.request import urlopen

from caffepy.cli.progress import counted
from caffepy.errors import DataError

EPILOG = """\
example:
  caffepy download_model_binary models/bvlc_alexnet

The folder's readme.md begins with lines between two `---`, of which these are read: caffemodel, the
file's name; caffemodel_url, where it is; sha1, by which it is checked. A file that is there already
and is the right one is not downloaded again.
"""

KEYS = ("caffemodel", "caffemodel_url", "sha1")
BLOCK = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the folder."""
    parser.epilog = EPILOG
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a model's, with a readme.md")


def run(args: argparse.Namespace) -> int:
    """Download the weights, unless they are there."""
    model = read_front_matter(args.folder / "readme.md")
    target = args.folder / model["caffemodel"]
    if target.exists() and sha1(target) == model["sha1"]:
        print("Model already exists.")
        return 0
    print(f"Downloading {model['caffemodel_url']} to {target}")
    download(model["caffemodel_url"], target, model["sha1"])
    return 0


def read_front_matter(readme: Path) -> dict[str, str]:
    """The lines `key: value` at the head of a readme.md, between two `---`.

    Raises:
        DataError: there are none, or one of KEYS is missing.
    """
    try:
        lines = [line.strip() for line in readme.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{readme}: not a model's readme: {error}") from error
    if lines.count("---") < 2:
        raise DataError(f"{readme}: a model's readme begins with lines between two '---'")
    top = lines.index("---") + 1
    pairs = (line.partition(":") for line in lines[top : lines.index("---", top)])
    found = {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}
    missing = [key for key in KEYS if not found.get(key)]
    if missing:
        raise DataError(f"{readme}: between its '---' there is no {', '.join(missing)}")
    if Path(found["caffemodel"]).name != found["caffemodel"]:
        raise DataError(f"{readme}: caffemodel is {found['caffemodel']!r}, not a file's name")
    return found | {"sha1": found["sha1"].lower()}


def download(url: str, target: Path, expected: str) -> None:
    """Fetch a file, which takes its name once it is whole and has the SHA-1 expected.

    Raises:
        DataError: it cannot be fetched or written, or is another file.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with urlopen(url) as source, part.open("wb") as file:
            _copy(source, file, int(source.headers.get("Content-Length", 0)))
        found = sha1(part)
        if found != expected:
            raise DataError(
                f"{url}: the file's SHA-1 is {found}, not {expected}; run this again, or see "
                "whether the address still leads to the model"
            )
        part.replace(target)
    except (URLError, HTTPException, ValueError) as error:
        raise DataError(f"{url}: cannot be downloaded: {error}") from error
    except OSError as error:
        raise DataError(f"{target}: cannot be downloaded: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def sha1(path: Path) -> str:
    """The SHA-1 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha1").hexdigest()


def _copy(source: IO[bytes], target: IO[bytes], total: int) -> None:
    done = 0
    with counted("bytes") as progress:
        while block := source.read(BLOCK):
            target.write(block)
            done += len(block)
            progress(done, max(total, done))
