"""What can go wrong, as exceptions: each message is for the person who reads it on a terminal."""

import difflib
from collections.abc import Iterable
from pathlib import Path


class CaffeError(RuntimeError):
    """The base of every error that caffepy raises on purpose."""


class ParseError(CaffeError):
    """A file whose text or bytes do not follow its message."""


class NetError(CaffeError):
    """A net whose layers do not fit together."""


class LayerError(CaffeError):
    """A layer that cannot be built, or cannot take what its bottoms hold.

    `field` is the path of the offending field inside the LayerParameter, "lrn_param.local_size",
    from which the net finds the place in the file; "" where no field is to blame.
    """

    def __init__(self, text: str, field: str = "") -> None:
        super().__init__(text)
        self.field = field


class UserCodeError(LayerError):
    """A Python layer whose class raised something: `raised`, with the traceback of the user's code."""

    def __init__(self, text: str, field: str, raised: Exception) -> None:
        super().__init__(text, field)
        self.raised = raised


class WeightsError(CaffeError):
    """Weights that cannot be read, or do not fit the net."""


class DataError(CaffeError):
    """A database, list or image that cannot be read."""


class SolverError(CaffeError):
    """A solver whose settings contradict each other, or a training that cannot go on."""


class SnapshotError(CaffeError):
    """A snapshot that cannot be written, or does not belong to this solver."""


def near(name: str, known: Iterable[str]) -> str:
    """A hint to end a message with: "; did you mean 'conv1'?", or "" where no known name is near.

    Upper and lower case count as the same letter.
    """
    names: dict[str, list[str]] = {}
    for each in known:
        names.setdefault(each.lower(), []).append(each)
    close = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.6)
    found = [each for lowered in close for each in names[lowered]][:3]
    return f"; did you mean {' or '.join(map(repr, found))}?" if found else ""


def near_file(path: Path) -> str:
    """The same of a file or folder that is missing: what lies beside it under names like its own."""
    folder = path.parent
    return near(path.name, (other.name for other in folder.iterdir())) if folder.is_dir() else ""
