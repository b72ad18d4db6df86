"""Caffe's log for scripts: nothing is shown until `init_log`, but warnings."""

import logging
import os
import sys

from caffepy.glog import LEVELS, SEVERITY, ClassicFormatter

logger = logging.getLogger(__name__)
_handlers: list[logging.Handler] = []


def init_log(level: int | None = None, stderr: bool = True) -> None:
    """Show Caffe's log lines from now on.

    Args:
        level: the least severity to show: 0 for all, 1 from warnings, 2 from errors, 3 fatal; what
            GLOG_minloglevel says where it is left out, or else all.
        stderr: whether lines go to stderr; if not, they go nowhere, but to handlers of `logging`
            that the script sets up.

    Raises:
        ValueError: there is no such severity.
    """
    severity = os.environ.get(SEVERITY, "0") if level is None else str(level)
    if severity not in LEVELS:
        source = SEVERITY if level is None else "level"
        raise ValueError(f"{source} is {severity!r}, and may be 0, 1, 2 or 3")
    ours = logging.getLogger("caffepy")
    while _handlers:
        ours.removeHandler(_handlers.pop())
    handler = logging.StreamHandler(sys.stderr) if stderr else logging.NullHandler()
    handler.setFormatter(ClassicFormatter())
    handler.setLevel(LEVELS[severity])
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    _handlers.append(handler)


def log(text: str) -> None:
    """Write a line into the log, as the place that calls this."""
    logger.info("%s", text, stacklevel=2)
