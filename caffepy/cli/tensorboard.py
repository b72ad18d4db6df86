"""What a training measures, written for TensorBoard to show."""

import os
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from caffepy.errors import CaffeError

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event

    from caffepy.solver.solver import Solver


def check_tensorboard() -> None:
    """Raise CaffeError where the extra is not installed."""
    try:
        import tensorboard  # noqa: F401  a check, before anything else takes time
    except ImportError as error:
        raise CaffeError(
            "--tensorboard takes tensorboard, which is not installed: "
            "pip install 'caffepy[tensorboard]'"
        ) from error


@contextmanager
def scalars(solver: "Solver", folder: str | None) -> Iterator[None]:
    """Write each number that the solver logs into an event file of the folder, by iteration.

    Of an earlier run in the same folder, TensorBoard then shows what came before the iteration at
    which this one begins: a resumed training goes on, one from the start is drawn anew.

    Raises:
        CaffeError: the file cannot be written.
    """
    if not folder:
        yield
        return
    events = EventFile(folder, solver.iter)

    def record(group: str, iteration: int, values: Iterable[tuple[str, float]]) -> None:
        events.add(iteration, dict(tagged(group, list(values))))

    solver.journal.record = record
    try:
        yield
    finally:
        solver.journal.record = None


class EventFile:
    """A file that TensorBoard reads, in a folder that is made.

    torch's SummaryWriter writes in a thread, from which a full disk comes as a traceback; here it
    is an error when it happens, and numbers can be seen at once.
    """

    def __init__(self, folder: str, iteration: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        self.folder = folder
        # TensorBoard knows the files by this beginning, and reads them in the order of their names.
        name = f"events.out.tfevents.{time.time():017.6f}.{socket.gethostname()}.{os.getpid()}"
        self.path = Path(folder, name)
        started = SessionLog(status=SessionLog.START)
        self._append(Event(file_version="brain.Event:2"))
        self._append(Event(step=iteration, session_log=started))

    def add(self, iteration: int, values: dict[str, float]) -> None:
        """Write the numbers of an iteration, by tag; CaffeError where that cannot be."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        parts = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._append(Event(step=iteration, summary=Summary(value=parts)))

    def _append(self, event: "Event") -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        event.wall_time = time.time()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                RecordWriter(file).write(event.SerializeToString())
        except OSError as error:
            raise CaffeError(f"--tensorboard {self.folder}: {error.strerror}") from error


def tagged(group: str, values: list[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    """The numbers under `group/name`, elements of one blob under `group/name/0`, `/1`, …."""
    of_name = Counter(name for name, _ in values)
    seen: Counter[str] = Counter()
    for name, value in values:
        tag = f"{group}/{name}" if group else name
        yield (tag if of_name[name] == 1 else f"{tag}/{seen[name]}"), value
        seen[name] += 1
