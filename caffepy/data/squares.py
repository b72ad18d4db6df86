"""Image files cut to squares: the shorter side at a size, the middle of the longer one."""

from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from caffepy.data.image_record import Form, shaped
from caffepy.data.images import decode_image, encode_image, read_file
from caffepy.data.processes import worker_processes
from caffepy.errors import DataError

CHUNK = 16  # images that a process is handed at once


class Task(NamedTuple):
    """An image file, and the square to make of it."""

    source: Path
    target: Path


def cut_squares(
    tasks: Sequence[Task],
    side: int,
    library: str,
    processes: int,
    progress: Callable[[int, int], None],
) -> list[str]:
    """Make the squares on several processes; why some could not be made, a line each.

    side: of the squares. library: LIBRARIES has them. progress is told how many of how many are
    done.
    """
    failures = []
    with worker_processes(processes) as pool:
        results = pool.map(partial(cut_square, side=side, library=library), tasks, chunksize=CHUNK)
        for done, failure in enumerate(results, 1):
            if failure is not None:
                failures.append(failure)
            progress(done, len(tasks))
    return failures


def cut_square(task: Task, side: int, library: str) -> str | None:
    """Make one square, and the folder for it; why it could not be made, or None."""
    try:
        file = LIBRARIES[library](task.source, side)
        task.target.parent.mkdir(parents=True, exist_ok=True)
        task.target.write_bytes(file)
    except DataError as error:
        return str(error)
    except OSError as error:
        return f"{task.target}: cannot be written: {error.strerror}"
    return None


def opencv_square(path: Path, side: int) -> bytes:
    """Bilinear, without antialiasing, as OpenCV does it; a file of the source's own type."""
    square = shaped(read_file(path), Form(short=side, crop=side), str(path))
    return encode_image(square, path.suffix[1:].lower(), repr(str(path)))


def pil_square(path: Path, side: int) -> bytes:
    """With antialiasing (Lanczos), by Pillow; a JPEG of quality 75, whatever the name says."""
    rgb = np.ascontiguousarray(decode_image(path)[..., ::-1])
    square = ImageOps.fit(Image.fromarray(rgb), (side, side), Image.Resampling.LANCZOS)
    file = BytesIO()
    square.save(file, "JPEG", quality=75)
    return file.getvalue()


LIBRARIES = {"opencv": opencv_square, "pil": pil_square}
