"""Log lines on stderr, with the prefix by which readers of Caffe's logs know them."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from caffepy.cli.flags import UsageError
from caffepy.glog import LEVELS, SEVERITY, ClassicFormatter


@contextmanager
def logging_to_stderr() -> Iterator[None]:
    """Meanwhile, send what caffepy logs to stderr, from the severity GLOG_minloglevel asks for.

    Pillow's warnings, which name no file, are left out: of an image that is read all the same.
    """
    severity = os.environ.get(SEVERITY, "0")
    if severity not in LEVELS:
        raise UsageError(f"{SEVERITY} is {severity!r}, and may be 0, 1, 2 or 3")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ClassicFormatter())
    handler.setLevel(LEVELS[severity])
    logger = logging.getLogger("caffepy")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")
            yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


def only_warnings() -> None:
    """For a verb whose answer would drown in what nets say of themselves."""
    for handler in logging.getLogger("caffepy").handlers:
        handler.setLevel(max(handler.level, logging.WARNING))
