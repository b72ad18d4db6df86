import logging
import re

import numpy as np
import pytest
import torch

from caffepy.graph.graph import Graph
from caffepy.net.build import build_net
from caffepy.net.debug import debugging, debugging_update, size
from caffepy.net.net import Net
from caffepy.net.stepwise import build_stepwise
from tests.net.nets import graph_of

NET = """
layer { name: "x" type: "DummyData" top: "x" top: "y"
        dummy_data_param { shape { dim: 2 dim: 3 } shape { dim: 2 dim: 4 }
                           data_filler { value: 0.5 } data_filler { value: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" param { name: "w" } param { lr_mult: 0 }
        inner_product_param { num_output: 4 weight_filler { type: "gaussian" }
                              bias_filler { value: 0.25 } } }
layer { name: "relu" type: "ReLU" bottom: "ip" top: "ip" }
layer { name: "near" type: "EuclideanLoss" bottom: "ip" bottom: "y" top: "near" }
layer { name: "sum" type: "Reduction" bottom: "ip" top: "sum" loss_weight: 0.5 }
"""


@pytest.fixture(params=[build_net, build_stepwise], ids=["whole", "layer by layer"])
def net(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Net:
    caplog.set_level(logging.INFO, logger="caffepy")
    torch.manual_seed(1)
    graph: Graph = graph_of(NET, train=True)
    made: Net = request.param(graph)
    made.zero_diffs()
    caplog.clear()
    return made


def lines(caplog: pytest.LogCaptureFixture) -> dict[str, float | list[float]]:
    """What was logged by the text before its numbers, in order."""
    found = {}
    for message in caplog.messages:
        head, values = re.split(r"(?:data|diff|diff\)): ", message, maxsplit=1)
        numbers = [
            float(value)
            for value in re.findall(
                r"-?[\d.]+(?:e-?\d+)?", values.replace("L1", "").replace("L2", "")
            )
        ]
        found[head.strip()] = numbers[0] if len(numbers) == 1 else numbers
    return found


def test_a_pass_is_told_layer_by_layer(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    with debugging(net, on=True, backward=True):
        net.forward_backward()

    w = net.learnable[0].param.detach().double().numpy()
    x, y = np.full((2, 3), 0.5), np.full((2, 4), 3.0)
    made = x @ w.T + 0.25
    ip = np.maximum(made, 0)
    near, total = (ip - y) / 2, np.full((2, 4), 0.5)
    back = (near + total) * (made > 0)
    weight = back.T @ x
    l1, l2 = abs(w).sum() + 4 * 0.25, np.sqrt((w**2).sum() + 4 * 0.25**2)
    sizes = {
        "[Forward] Layer x, top blob x": 0.5,
        "[Forward] Layer x, top blob y": 3,
        "[Forward] Layer ip, top blob ip": abs(made).mean(),
        "[Forward] Layer ip, param blob w": abs(w).mean(),
        "[Forward] Layer ip, param blob 1": 0.25,
        "[Forward] Layer relu, top blob ip": ip.mean(),
        "[Forward] Layer ip_relu_0_split, top blob ip_relu_0_split_0": ip.mean(),
        "[Forward] Layer ip_relu_0_split, top blob ip_relu_0_split_1": ip.mean(),
        "[Forward] Layer near, top blob near": ((ip - y) ** 2).sum() / 4,
        "[Forward] Layer sum, top blob sum": ip.sum(),
        "[Backward] Layer sum, bottom blob ip_relu_0_split_1": 0.5,
        "[Backward] Layer near, bottom blob ip_relu_0_split_0": abs(near).mean(),
        "[Backward] Layer ip_relu_0_split, bottom blob ip": abs(near + total).mean(),
        "[Backward] Layer relu, bottom blob ip": abs(back).mean(),
        "[Backward] Layer ip, param blob 0": abs(weight).mean(),
        "[Backward] All net params (data,": [
            l1, abs(weight).sum(), l2, np.sqrt((weight**2).sum())
        ],
    }  # fmt: skip
    found = lines(caplog)
    assert list(found) == list(sizes)
    for head, value in sizes.items():
        assert found[head] == pytest.approx(value, rel=1e-5), head


def test_a_pass_without_gradients_has_no_way_back(
    net: Net, caplog: pytest.LogCaptureFixture
) -> None:
    with debugging(net, on=True):
        net.evaluate()
    assert {line.split("]")[0] for line in caplog.messages} == {"    [Forward"}


def test_nothing_is_left_behind_and_off_is_off(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    with debugging(net, on=True, backward=True):
        net.forward_backward()
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in net.layers)
    caplog.clear()
    with debugging(net, on=False, backward=True), debugging_update(net.learnable, on=False):
        net.forward_backward()
    assert caplog.messages == []


def test_what_is_watched_is_computed_the_same(net: Net) -> None:
    net.forward_backward()
    plain = [p.param.grad.clone() for p in net.learnable if p.param.grad is not None]
    net.zero_diffs()
    with debugging(net, on=True, backward=True):
        net.forward_backward()
    watched = [p.param.grad for p in net.learnable if p.param.grad is not None]
    assert all(map(torch.equal, plain, watched))


def test_an_update_is_told_by_what_it_takes_off(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    weight = net.learnable[0].param
    before = size(weight)
    with debugging_update(net.learnable, on=True), torch.no_grad():
        weight.sub_(0.125)
    assert caplog.messages == [
        f"    [Update] Layer ip, param w data: {before:g}; diff: 0.125",
        "    [Update] Layer ip, param 1 data: 0.25; diff: 0",
    ]


def test_size_is_the_mean_of_absolute_values() -> None:
    assert size(torch.tensor([[1.0, -2.0, 6.0]])) == 3
    assert size(None) == size(torch.zeros(0)) == 0
