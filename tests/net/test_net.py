import pytest
import torch

from caffepy.errors import LayerError, NetError
from tests.net.nets import net_of

BRANCHES = """
name: "branches"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 7 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip" loss_weight: 0.5
        inner_product_param { num_output: 6 weight_filler { type: "xavier" } } }
layer { name: "tanh" type: "TanH" bottom: "conv" top: "tanh" loss_weight: 2 }
"""
CLASSIFIER = """
layer { name: "data" type: "Input" top: "data" top: "label"
        input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
OFFSET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 3 } } }
layer { name: "offset" type: "Parameter" top: "offset" parameter_param { shape { dim: 3 } } }
layer { name: "sum" type: "Eltwise" bottom: "x" bottom: "offset" top: "sum" loss_weight: 2 }
"""
FILTERED = """
layer { name: "x" type: "Input" top: "x" top: "chosen"
        input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
layer { name: "keep" type: "Filter" bottom: "x" bottom: "chosen" top: "kept" }
layer { name: "ip" type: "InnerProduct" bottom: "kept" top: "ip" loss_weight: 1
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
"""


def test_names_shapes_and_outputs_are_caffes() -> None:
    net = net_of(BRANCHES)

    assert net.layer_names == ["data", "conv", "relu", "conv_relu_0_split", "ip", "tanh"]
    assert net.inputs == ["data"]
    assert net.outputs == ["ip", "tanh"]
    assert net.shapes == {
        "data": (2, 3, 5, 7),
        "conv": (2, 4, 3, 5),
        "conv_relu_0_split_0": (2, 4, 3, 5),
        "conv_relu_0_split_1": (2, 4, 3, 5),
        "ip": (2, 6),
        "tanh": (2, 4, 3, 5),
    }
    assert net.loss_weights == {"ip": 0.5, "tanh": 2.0}


def test_forward_runs_in_place_layers_and_branches() -> None:
    net = net_of(BRANCHES)
    x = torch.randn(2, 3, 5, 7)
    conv_weight, conv_bias, ip_weight, ip_bias = (entry.param for entry in net.learnable)

    tops = net(data=x)

    conv = torch.nn.functional.conv2d(x, conv_weight, conv_bias).relu()
    torch.testing.assert_close(tops["ip"], conv.flatten(1) @ ip_weight.T + ip_bias)
    torch.testing.assert_close(tops["tanh"], conv.tanh())


def test_the_objective_is_the_weighted_sum_of_the_tops() -> None:
    net = net_of(BRANCHES)
    tops = net(data=torch.randn(2, 3, 5, 7))

    objective = net.objective(tops)

    torch.testing.assert_close(objective, 0.5 * tops["ip"].sum() + 2 * tops["tanh"].sum())


def test_gradients_add_up_until_they_are_zeroed() -> None:
    net = net_of(BRANCHES)
    net.zero_diffs()
    net.forward_backward()
    (once,) = (net.learnable[3].param.grad,)
    assert once is not None
    once = once.clone()

    net.forward_backward()
    torch.testing.assert_close(net.learnable[3].param.grad, 2 * once)

    net.zero_diffs()
    net.forward_backward()
    torch.testing.assert_close(net.learnable[3].param.grad, once)


def test_a_blob_that_no_loss_reaches_has_a_zero_gradient() -> None:
    text = BRANCHES.replace("loss_weight: 0.5", "").replace("loss_weight: 2", "loss_weight: 1")
    net = net_of(text)

    net.forward_backward()

    ip = net.learnable[2].param
    torch.testing.assert_close(ip.grad, torch.zeros_like(ip))


def test_propagate_down_false_cuts_the_gradient() -> None:
    text = BRANCHES.replace('top: "ip" loss_weight: 0.5', 'top: "ip" propagate_down: false')
    net = net_of(text.replace("loss_weight: 2", ""))
    tops = net(data=torch.randn(2, 3, 5, 7))
    conv = net.learnable[0].param

    tops["ip"].sum().backward()
    assert conv.grad is None

    tops["tanh"].sum().backward()
    assert conv.grad is not None


def test_force_backward_overrules_propagate_down() -> None:
    text = BRANCHES.replace('top: "ip" loss_weight: 0.5', 'top: "ip" propagate_down: false')
    net = net_of("force_backward: true " + text.replace("loss_weight: 2", ""))

    net(data=torch.randn(2, 3, 5, 7))["ip"].sum().backward()

    assert net.learnable[0].param.grad is not None


@pytest.mark.parametrize("channels", [1, 3])
def test_images_run_with_channels_last_and_weights_stay_contiguous(channels: int) -> None:
    net = net_of(BRANCHES.replace("dim: 2 dim: 3", f"dim: 2 dim: {channels}"))
    net.forward_backward()

    tanh = net(data=torch.randn(2, channels, 5, 7))["tanh"]

    assert tanh.is_contiguous(memory_format=torch.channels_last)
    assert all(entry.param.is_contiguous() for entry in net.learnable)
    assert all(
        entry.param.grad.is_contiguous() for entry in net.learnable if entry.param.grad is not None
    )


def test_a_parameter_is_no_input_and_learns() -> None:
    net = net_of(OFFSET, train=True)
    assert net.inputs == ["x"]
    assert list(net.read()) == ["x"]
    assert net.positions() == {"x": 0}
    (offset,) = net.learnable
    with torch.no_grad():
        offset.param.copy_(torch.tensor([1.0, 2.0, 3.0]))

    tops = net(x=torch.full((3,), 10.0))
    net.forward_backward()

    assert tops["sum"].tolist() == [11, 12, 13]
    assert offset.param.grad is not None
    assert offset.param.grad.tolist() == [2, 2, 2]
    assert not net.evaluate().requires_grad
    assert net.tops["sum"].tolist() == [1, 2, 3]


def test_a_parameter_alone_is_an_output() -> None:
    net = net_of(
        'layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: 2 } } }'
    )

    net.evaluate()

    assert net.tops["p"].numpy().tolist() == [0, 0]


def test_what_a_selector_leaves_flows_on() -> None:
    net = net_of(FILTERED)

    tops = net(x=torch.rand(4, 3), chosen=torch.tensor([1.0, 0, 0, 1]))
    net.objective(tops).backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated

    assert net.shapes["ip"] == (4, 5)
    assert tops["ip"].shape == (2, 5)
    bias = net.learnable[1].param
    assert bias.grad is not None
    assert bias.grad.tolist() == [2] * 5


def test_a_missing_input_is_named() -> None:
    with pytest.raises(
        NetError, match=r"no value for blob 'data' of layer 'data'.*did you mean 'dat'"
    ):
        net_of(BRANCHES)(dat=torch.zeros(2, 3, 5, 7))


def test_a_label_of_no_class_is_refused() -> None:
    net = net_of(CLASSIFIER)

    with pytest.raises(LayerError, match=r"'loss'.*7"):
        net(data=torch.zeros(4, 3), label=torch.tensor([0.0, 1.0, 7.0, 2.0]))


def test_the_first_layer_with_a_nan_is_found() -> None:
    net = net_of(CLASSIFIER)
    tops = {"data": torch.zeros(4, 3), "label": torch.zeros(4)}
    assert net.first_non_finite(tops) is None

    net.learnable[1].param.data[2] = float("nan")

    assert net.first_non_finite(tops) == ("ip", "ip")


def test_a_net_that_shares_sees_what_the_other_learns() -> None:
    train, test = net_of(CLASSIFIER, train=True), net_of(CLASSIFIER)
    test.share_with(train)

    with torch.no_grad():
        train.learnable[0].param.add_(1)

    x = {"data": torch.rand(4, 3), "label": torch.zeros(4)}
    torch.testing.assert_close(train(**x), test(**x))


def test_sharing_refuses_other_shapes() -> None:
    wider = CLASSIFIER.replace("num_output: 5", "num_output: 6")

    with pytest.raises(NetError, match=r"'ip'.*\(6, 3\).*\(5, 3\)"):
        net_of(wider).share_with(net_of(CLASSIFIER))


def test_a_compiled_net_computes_the_same() -> None:
    net = net_of(CLASSIFIER)
    x = {"data": torch.rand(4, 3), "label": torch.tensor([0.0, 4.0, 2.0, 1.0])}

    exported = torch.export.export(net, (), x, strict=False).module()

    torch.testing.assert_close(exported(**x)["loss"], net(**x)["loss"])


SEEN = """
name: "seen"
layer { name: "data" type: "DummyData" top: "data" dummy_data_param {
        shape { dim: 2 dim: 3 } data_filler { type: "constant" value: -2 } } }
layer { name: "power" type: "Power" bottom: "data" top: "inner" power_param { scale: 3 shift: 1 } }
layer { name: "relu" type: "ReLU" bottom: "inner" top: "inner" relu_param { negative_slope: 2 } }
layer { name: "last" type: "TanH" bottom: "inner" top: "last" }
"""


def test_any_blob_can_be_looked_at_after_a_batch() -> None:
    seen = net_of(SEEN).look(["inner", "data"])

    assert sorted(seen) == ["data", "inner"]
    assert seen["data"].tolist() == [[-2.0] * 3] * 2
    assert seen["inner"].tolist() == [[-10.0] * 3] * 2  # as its last writer left it
    assert not seen["inner"].requires_grad


def test_a_blob_to_look_at_that_is_not_there() -> None:
    with pytest.raises(NetError, match=r"net 'seen' has no blob 'iner'; did you mean 'inner'\?"):
        net_of(SEEN).look(["data", "iner"])
