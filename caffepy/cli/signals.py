"""Signals that ask a training for a snapshot, or to stop."""

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

    from caffepy.solver.solver import Solver

EFFECTS = ("stop", "snapshot", "none")


def add_effects(parser: argparse.ArgumentParser) -> None:
    """Declare --sigint-effect and --sighup-effect."""
    parser.add_argument(
        "--sigint-effect", choices=EFFECTS, default="stop", help="of Ctrl-C (default: stop)"
    )
    parser.add_argument(
        "--sighup-effect",
        choices=EFFECTS,
        default="snapshot",
        help="of a terminal that closes (default: snapshot)",
    )


@contextmanager
def signals(solver: "Solver", args: argparse.Namespace) -> Iterator[None]:
    """Let signals ask the solver for what the flags say, and be as before afterwards.

    The second SIGINT after a stop was asked for interrupts as it does in any program.
    """
    from caffepy.solver.requests import Action

    effects = {signal.SIGINT: args.sigint_effect, signal.SIGHUP: args.sighup_effect}

    def ask(number: int, _frame: "FrameType | None") -> None:
        action = effects[signal.Signals(number)]
        if action == "stop":
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if action != "none":
            solver.request(Action(action))

    before = {number: signal.signal(number, ask) for number in effects}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
