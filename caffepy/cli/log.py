"""Log lines on stderr, with the prefix by which readers of Caffe's logs know them."""

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from caffepy.cli.flags import UsageError

SEVERITY = "GLOG_minloglevel"
LEVELS = {"0": logging.INFO, "1": logging.WARNING, "2": logging.ERROR, "3": logging.CRITICAL}


class ClassicFormatter(logging.Formatter):
    """`I1122 13:01:49.825181  1345 solver.py:239] body`: severity, date without a year, thread."""

    def format(self, record: logging.LogRecord) -> str:
        """The whole record; of a body of several lines only the first has the prefix."""
        severity = "F" if record.levelno >= logging.CRITICAL else record.levelname[0]
        moment = time.strftime("%m%d %H:%M:%S", time.localtime(record.created))
        micros = int(record.created % 1 * 1e6)
        place = f"{threading.get_native_id():5d} {record.filename}:{record.lineno}"
        return f"{severity}{moment}.{micros:06d} {place}] {record.getMessage()}"


@contextmanager
def logging_to_stderr() -> Iterator[None]:
    """Meanwhile, send what caffepy logs to stderr, from the severity GLOG_minloglevel asks for."""
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
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


def only_warnings() -> None:
    """For a verb whose answer would drown in what nets say of themselves."""
    for handler in logging.getLogger("caffepy").handlers:
        handler.setLevel(max(handler.level, logging.WARNING))
