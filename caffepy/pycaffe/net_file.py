"""From a prototxt to a net to be run layer by layer, by pycaffe's arguments."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

from caffepy.graph.load import load_graph
from caffepy.graph.problem import Problem
from caffepy.net.stepwise import StepwiseNet, build_stepwise
from caffepy.proto import TEST, TRAIN, NetState, Phase
from caffepy.pycaffe import mode

log = logging.getLogger(__name__)


def read_net(path: str | Path, phase: int, level: int, stages: Sequence[str] | None) -> StepwiseNet:
    """The net of a prototxt in a state, where the mode says that nets run.

    Raises:
        CaffeError: the file is wrong, or there is no such device.
        TypeError, ValueError: an argument is.
    """
    if not isinstance(path, str | Path):
        raise TypeError(f"a net is read from a file; {path!r} is the name of none")
    if phase not in (TRAIN, TEST):
        raise ValueError(f"phase is {phase!r}, and may be caffe.TRAIN or caffe.TEST")
    if isinstance(stages, str):
        raise TypeError(f"stages is a list of names; the text {stages!r} is given")
    graph = load_graph(path, NetState(phase=cast("Phase", phase), level=level, stage=stages or ()))
    net = build_stepwise(graph, device=mode.device(), seed=mode.seed())
    show(graph.problems)
    return net


def show(problems: Iterable[Problem]) -> None:
    """Log what the author of a file should know, each thing once."""
    for problem in dict.fromkeys(problems):
        log.warning("%s", problem)
