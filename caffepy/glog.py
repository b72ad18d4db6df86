"""How glog writes a line, by which readers of Caffe's logs know it."""

import logging
import threading
import time

SEVERITY = "GLOG_minloglevel"  # the variable that says which lines to hide
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
