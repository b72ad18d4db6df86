import time
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from caffepy.net.build import build_net
from caffepy.net.timing import Stopwatch
from tests.net.nets import graph_of, net_of

NET = """
layer { name: "data" type: "Input" top: "data" top: "label"
        input_param { shape { dim: 4 dim: 3 dim: 5 dim: 7 } shape { dim: 4 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" }
                            bias_filler { type: "gaussian" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "tanh" type: "TanH" bottom: "conv" top: "tanh" loss_weight: 0.5 }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


def watch_gradient(param: nn.Parameter) -> list[Tensor]:
    """Where each gradient of a parameter will be found that is computed from now on."""
    seen: list[Tensor] = []
    param.register_hook(seen.append)  # type: ignore[no-untyped-call]  # torch leaves it unannotated
    return seen


def test_every_layer_has_its_seconds() -> None:
    net = net_of(NET, train=True)
    watch = Stopwatch(net)

    forward, backward = watch.forward(), watch.backward()

    assert net.layer_names == [
        *("data", "label_data_1_split", "conv", "relu", "conv_relu_0_split", "tanh"),
        *("ip", "ip_ip_0_split", "accuracy", "loss"),
    ]
    assert len(forward) == 10
    assert all(seconds > 0 for seconds in forward)
    assert [seconds > 0 for seconds in backward] == [
        *(False, False, True, True, True, True),
        *(True, True, False, True),
    ]


def test_times_are_those_of_the_layer_and_of_no_other() -> None:
    net = net_of(NET, train=True)
    slow = net.layers[net.layer_names.index("tanh")]
    slow.register_forward_hook(lambda *_: time.sleep(0.3))
    slow.register_full_backward_hook(lambda *_: time.sleep(0.4))
    watch = Stopwatch(net)

    forward, backward = watch.forward(), watch.backward()

    assert 0.3 <= forward.pop(5) < 0.6
    assert 0.4 <= backward.pop(5) < 0.8
    assert sum(forward + backward) < 0.3


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(NET, id="branches, in-place layers, two losses"),
        pytest.param(
            NET.replace(
                'bottom: "conv" top: "ip"', 'bottom: "conv" top: "ip" propagate_down: false'
            ),
            id="propagate_down",
        ),
        pytest.param(
            NET.replace('name: "conv" type', 'param { lr_mult: 0 } name: "conv" type'), id="frozen"
        ),
    ],
)
def test_computes_what_training_computes(text: str) -> None:
    net = net_of(text, train=True)
    loss = net.forward_backward()
    params = [entry.param for entry in net.learnable if entry.param.requires_grad]
    seen = [watch_gradient(param) for param in params]
    watch = Stopwatch(net)

    watch.forward()
    watch.backward()

    torch.testing.assert_close(watch.loss, loss)
    for (gradient,), param in zip(seen, params, strict=True):
        torch.testing.assert_close(gradient, param.grad)


def test_a_blob_that_two_layers_share_has_its_gradient_in_both() -> None:
    first, second = (
        f"""
        layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{name}"
                 param {{ name: "w" share_mode: PERMISSIVE }}
                 inner_product_param {{ num_output: {count} bias_term: false
                                        weight_filler {{ type: "xavier" }} }} }}
        """
        for name, bottom, count in (("a", "data", 6), ("b", "a", 2))
    )
    data = (
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 2 } } }'
    )
    net = net_of(
        data
        + first
        + second
        + 'layer { name: "c" type: "TanH" bottom: "b" top: "c" loss_weight: 1 }',
        train=True,
    )
    seen = watch_gradient(net.learnable[0].param)
    watch = Stopwatch(net)

    watch.forward()
    watch.backward()

    assert [gradient.shape for gradient in seen] == [(6, 2), (6, 2)]


def test_without_a_loss_there_is_no_backward() -> None:
    net = net_of(NET[: NET.index('layer { name: "tanh"')])
    watch = Stopwatch(net)
    watch.forward()

    assert watch.backward() == [0.0] * len(net.layers)
    assert float(watch.loss) == 0


def test_parameters_get_no_gradient_and_can_be_timed_again() -> None:
    net = net_of(NET, train=True)
    watch = Stopwatch(net)

    losses = []
    for _ in range(3):
        watch.forward()
        watch.backward()
        losses.append(float(watch.loss))

    assert all(one == other for one, other in pairwise(losses))
    assert [entry.param.grad for entry in net.learnable] == [None] * 4


def test_force_backward_goes_down_to_the_data() -> None:
    net = net_of("force_backward: true" + NET, train=True)
    watch = Stopwatch(net)
    watch.forward()

    backward = dict(zip(net.layer_names, watch.backward(), strict=True))

    assert [name for name, seconds in backward.items() if seconds == 0] == [
        *("data", "label_data_1_split", "accuracy")
    ]


@pytest.mark.gpu
def test_on_cuda_it_waits_for_the_device() -> None:
    watch = Stopwatch(build_net(graph_of(NET, train=True), device="cuda:0"))

    assert all(seconds > 0 for seconds in watch.forward())
    assert sum(watch.backward()) > 0
