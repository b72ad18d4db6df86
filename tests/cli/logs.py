"""Logs of trainings, made for a test."""

from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/golden/log/train.log"  # BVLC Caffe 1.0, from `Solving` on


def write_log(path: Path, text: str) -> Path:
    """A log whose lines are those of `text`, one written a second, in Caffe's old prefix."""
    bodies = [line for line in dedent(text).splitlines() if line.strip()]
    path.write_text(
        "".join(
            f"I0210 13:{second // 60:02d}:{second % 60:02d}.000000 25210 solver.cpp:204] {body}\n"
            for second, body in enumerate(bodies)
        )
    )
    return path
