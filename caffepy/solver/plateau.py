"""The policy that lowers the learning rate when training, or a test, stops improving."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from caffepy.graph.graph import Graph


@dataclass
class Plateau:
    """What a training watches for its `plateau` policy; smaller is better.

    value: as last seen. best: the smallest at an iteration so far. since: the iteration of the last
    best, or of the last step where that came later.
    Source: SSD's caffe/src/caffe/solvers/sgd_solver.cpp
    """

    value: float = math.inf
    best: float = math.inf
    since: int = 0

    def next_step(self, windows: Sequence[int], iteration: int, current_step: int) -> int:
        """How many steps down were made, this iteration's included; asked once in each.

        A step comes after as many iterations without a new best as the window of that step says;
        after as many steps as there are windows none comes any more.
        """
        if self.value < self.best:
            self.best, self.since = self.value, iteration
        if current_step < len(windows) and iteration - self.since >= windows[current_step]:
            self.since = iteration
            current_step += 1
        return current_step


def sign(graph: Graph, output: str) -> int:
    """What makes an output of a test one of which less is better: 1 for a loss, else -1.

    A loss is what counts in the net's objective, or a blob of a layer whose type ends in Loss; all
    else, such as an accuracy, is better when it is larger.
    """
    makers = [node.param.type for node in graph.nodes if output in node.param.top]
    return 1 if output in graph.loss_weights or makers[-1].endswith("Loss") else -1
