"""What a training measures, written for TensorBoard to show."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from caffepy.errors import CaffeError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from caffepy.solver.solver import Solver

FLUSH_SECONDS = 10


def check_tensorboard() -> None:
    """Raise CaffeError where the extra is not installed."""
    try:
        import torch.utils.tensorboard  # noqa: F401  a check, before anything else takes time
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
    """
    if not folder:
        yield
        return
    writer = open_writer(folder, solver.iter)

    def record(group: str, iteration: int, values: Iterable[tuple[str, float]]) -> None:
        for tag, value in tagged(group, list(values)):
            writer.add_scalar(tag, value, iteration)

    solver.journal.record = record
    try:
        yield
    finally:
        solver.journal.record = None
        writer.close()


def open_writer(folder: str, iteration: int) -> "SummaryWriter":
    """A writer into a folder, which is made; CaffeError where that cannot be."""
    from torch.utils.tensorboard import SummaryWriter

    try:
        return SummaryWriter(folder, purge_step=iteration, flush_secs=FLUSH_SECONDS)
    except OSError as error:
        raise CaffeError(f"--tensorboard {folder}: {error.strerror}") from error


def tagged(group: str, values: list[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    """The numbers under `group/name`, elements of one blob under `group/name/0`, `/1`, …."""
    of_name = Counter(name for name, _ in values)
    seen: Counter[str] = Counter()
    for name, value in values:
        tag = f"{group}/{name}" if group else name
        yield (tag if of_name[name] == 1 else f"{tag}/{seen[name]}"), value
        seen[name] += 1
