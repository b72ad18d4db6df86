"""Processes that work for this one, where Python's lock would have its threads take turns."""

import multiprocessing
import os
import signal
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from threading import Thread

from caffepy.errors import DataError

METHOD = "forkserver"  # forks a process that has imported what is needed, and has no threads
NEEDED = ["caffepy.data.squares"]


@contextmanager
def worker_processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Up to so many processes; what was not begun at the end of the `with` never is.

    They leave Ctrl-C to this process, and end with it, also where it is killed. They import the
    program's main module, which must not begin anew then: `if __name__ == "__main__":`. DataError
    where one of them is killed, or cannot begin.
    """
    context = multiprocessing.get_context(METHOD)
    context.set_forkserver_preload(NEEDED)
    _start_server()
    pool = ProcessPoolExecutor(count, context, initializer=_begin)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise DataError(
            "a process at work has ended: the system kills some where memory is short; a script "
            'that lets others begin needs `if __name__ == "__main__":`'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_server() -> None:
    """Begin the one that processes are forked from; it imports while this one prepares the work.

    It has this process's mask of signals when it begins, and so have its children.
    """
    resource_tracker.ensure_running()  # here, as it lets interrupts through again
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _begin() -> None:
    """End with the parent, and do not show what Pillow warns of without a file's name."""
    warnings.filterwarnings("ignore", module="PIL")
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
