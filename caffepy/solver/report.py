"""The lines that a training logs: Caffe's words, which log readers look for."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from torch import Tensor

from caffepy.proto import SolverParameter


def number(value: float) -> str:
    """A number as a C++ stream writes it: 6 digits, nan with its sign."""
    if math.isnan(value):
        return "-nan" if math.copysign(1, value) < 0 else "nan"
    return f"{value:g}"


def train_source(param: SolverParameter) -> str:
    """Where the net to train comes from."""
    if param.HasField("net"):
        return f"Creating training net from net file: {param.net}"
    if param.HasField("train_net"):
        return f"Creating training net from train_net file: {param.train_net}"
    field = "net_param" if param.HasField("net_param") else "train_net_param"
    return f"Creating training net specified in {field}."


def test_source(param: SolverParameter, index: int) -> str:
    """Where a net to test comes from, in the order of `caffepy.graph.solver_nets.test_graphs`."""
    sources = ["test_net_param"] * len(param.test_net_param)
    sources += [f"test_net file: {name}" for name in param.test_net]
    generic = f"net file: {param.net}" if param.HasField("net") else "net_param"
    source = sources[index] if index < len(sources) else generic
    return f"Creating test net (#{index}) specified by {source}"


def train_loss(iteration: int, loss: float, passes: int, seconds: float, display: int) -> str:
    """The line of a display: `passes` batches since the last one took `seconds`."""
    speed = f"{number(passes / seconds)} iter/s, {number(seconds)}s/{display} iters"
    return f"Iteration {iteration} ({speed}), loss = {number(loss)}"


def final_loss(iteration: int, loss: float) -> str:
    """The loss after the last update."""
    return f"Iteration {iteration}, loss = {number(loss)}"


def rate(iteration: int, value: float, *others: tuple[str, float]) -> str:
    """The learning rate of an iteration, and what else changes with it, by NVCaffe's letters."""
    more = "".join(f", {letter} = {number(other)}" for letter, other in others)
    return f"Iteration {iteration}, lr = {number(value)}{more}"


def multistep(iteration: int, current_step: int) -> str:
    """The multistep policy goes to its next step."""
    return f"MultiStep Status: Iteration {iteration}, step = {current_step}"


def plateau_step(iteration: int, current_step: int) -> str:
    """The plateau policy goes to its next step."""
    return f"Plateau Status: Iteration {iteration}, step = {current_step}"


def plateau_best(iteration: int, best: float) -> str:
    """What the plateau policy holds new values against."""
    return f"Plateau Status: Iteration {iteration}, current minimum_loss = {number(best)}"


def clipping(norm: float, limit: float, factor: float) -> str:
    """The gradients were scaled down."""
    return (
        f"Gradient clipping: scaling down gradients (L2 norm {number(norm)} > {number(limit)}) "
        f"by scale factor {number(factor)}"
    )


def testing(iteration: int, index: int) -> str:
    """A test begins."""
    return f"Iteration {iteration}, Testing net (#{index})"


def ignored(trained: Iterable[str], tested: Iterable[str]) -> Iterator[str]:
    """The layers of the train net that the test net does not have, which Caffe tells at each test."""
    known = set(tested)
    return (f"Ignoring source layer {name}" for name in trained if name not in known)


def test_loss(loss: float) -> str:
    """The mean objective of a test."""
    return f"Test loss: {number(loss)}"


def keeping(output: str, index: int, prefix: str, *, higher: bool) -> str:
    """What `keep_best` will keep."""
    which = "highest" if higher else "lowest"
    return f"Keeping the snapshot with the {which} {output} of test net #{index} as {prefix}_best"


def best(output: str, value: float, iteration: int) -> str:
    """A test was better than all before."""
    return f"Best {output} so far = {number(value)}, at iteration {iteration}"


def elements(outputs: Iterable[str], tops: Mapping[str, Tensor]) -> list[tuple[str, float]]:
    """Every number of every output, with the name of its blob."""
    return [(name, value) for name in outputs for value in tops[name].flatten().tolist()]


def result(name: str, value: float, loss_weights: Mapping[str, float]) -> str:
    """One number of an output, and what it adds to the objective where the blob has a weight."""
    weight = loss_weights.get(name, 0.0)
    part = f" (* {number(weight)} = {number(weight * value)} loss)" if weight else ""
    return f"{name} = {number(value)}{part}"


def output_lines(
    phase: Literal["Train", "Test"],
    values: Iterable[tuple[str, float]],
    loss_weights: Mapping[str, float],
) -> Iterator[str]:
    """One line for each number of the outputs, as `elements` lists them."""
    for index, (name, value) in enumerate(values):
        yield f"    {phase} net output #{index}: {result(name, value, loss_weights)}"
