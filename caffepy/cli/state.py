"""`--level` and `--stage`: which layers a net has."""

import argparse
from collections.abc import Sequence

from caffepy.cli.flags import comma_list
from caffepy.proto import NetState, Phase


def add_state(parser: argparse.ArgumentParser, net: str = "net") -> None:
    """Declare --level and --stage; `net` is what they are said to belong to."""
    parser.add_argument(
        "--level", type=int, default=0, metavar="N", help=f"level of the {net}'s state"
    )
    parser.add_argument(
        "--stage",
        type=comma_list,
        default=[],
        metavar="NAME,...",
        help=f"stages of the {net}'s state",
    )


def make_state(phase: Phase, level: int, stages: Sequence[str]) -> NetState:
    """What a net's rules are held against; a level of 0 leaves the file's own."""
    state = NetState(phase=phase, stage=stages)
    if level:
        state.level = level
    return state
