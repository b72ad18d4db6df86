import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import SourceLayer
from caffepy.net.build import build_net
from caffepy.net.stepwise import StepwiseNet, build_stepwise
from tests.net.nets import graph_of

TEXT = """
{force}
layer {{ name: "data" type: "Input" top: "data" top: "label"
        input_param {{ shape {{ dim: 4 dim: 3 dim: 8 dim: 7 }} shape {{ dim: 4 }} }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param {{ num_output: 5 kernel_size: 3 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "tanh" type: "TanH" bottom: "conv" top: "conv" }}
layer {{ name: "pool" type: "Pooling" bottom: "conv" top: "pool"
        pooling_param {{ kernel_size: 2 stride: 2 }} }}
layer {{ name: "drop" type: "Dropout" bottom: "pool" top: "drop" }}
layer {{ name: "ip" type: "InnerProduct" bottom: "drop" top: "ip"
        inner_product_param {{ num_output: 6 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "side" type: "InnerProduct" bottom: "conv" top: "side" loss_weight: 0.25
        inner_product_param {{ num_output: 2 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }}
"""


def stepwise(force: str = "", *, train: bool = False) -> StepwiseNet:
    net = build_stepwise(graph_of(TEXT.format(force=force), train=train))
    net.storage["data"].data[...] = np.random.default_rng(1).normal(size=(4, 3, 8, 7))
    net.storage["label"].data[...] = [5, 0, 2, 3]
    return net


def gradients(net: StepwiseNet) -> list[torch.Tensor]:
    found = [entry.param.grad for entry in net.learnable]
    return [gradient.clone() for gradient in found if gradient is not None]


@pytest.mark.parametrize("look", [False, True], ids=["unseen", "every blob seen"])
def test_it_computes_what_the_whole_net_does(look: bool) -> None:
    net = stepwise()
    for blob in net.storage.values() if look else ():
        assert blob.data.shape == blob.diff.shape
    whole = build_net(graph_of(TEXT.format(force="")))
    whole.load_state_dict(net.state_dict())
    tops = {name: net.storage[name].values.tensor() for name in ("data", "label")}
    objective = whole.objective(whole(**tops))
    objective.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated

    net.zero_diffs()
    loss = net.forward_backward()

    torch.testing.assert_close(loss, objective.detach())
    for ours, theirs in zip(net.learnable, whole.learnable, strict=True):
        torch.testing.assert_close(ours.param.grad, theirs.param.grad)


def test_gradients_of_parameters_add_up_and_those_of_blobs_do_not() -> None:
    net = stepwise()
    net.zero_diffs()
    net.run()
    net.run_back()
    once, diff = gradients(net), net.storage["ip"].diff.copy()

    net.run_back()

    torch.testing.assert_close(gradients(net), [2 * gradient for gradient in once])
    np.testing.assert_array_equal(net.storage["ip"].diff, diff)


def test_zeroed_gradients_stay_in_their_memory() -> None:
    net = stepwise()
    net.forward_backward()
    diff = net.parameter_blobs[1][0].diff

    net.zero_diffs()
    assert not diff.any()

    net.forward_backward()
    assert diff.any()


def test_part_of_the_net_runs_on_what_is_in_the_blobs() -> None:
    net = stepwise()
    net.run()
    pool = net.storage["pool"].data
    pool[...] = 1
    index = net.layer_names.index

    net.run(index("drop"), index("ip"))

    weight, bias = (blob.data for blob in net.parameter_blobs[index("ip")])
    expected = np.broadcast_to(weight.sum(1) + bias, (4, 6))
    np.testing.assert_allclose(net.storage["ip"].data, expected, rtol=1e-5)


def test_part_of_the_net_runs_backwards_from_a_diff_that_is_set() -> None:
    net = stepwise("force_backward: true")
    net.run()
    before = net.storage["data"].diff.copy()
    net.storage["ip"].diff[...] = np.arange(24).reshape(4, 6)
    index = net.layer_names.index

    net.run_back(index("ip"), index("drop"))

    weight = net.parameter_blobs[index("ip")][0].data
    expected = (np.arange(24).reshape(4, 6) @ weight).reshape(net.storage["pool"].shape)
    np.testing.assert_allclose(net.storage["pool"].diff, expected, rtol=1e-5)
    np.testing.assert_array_equal(net.storage["data"].diff, before)


def test_backward_without_forward_runs_on_what_is_in_the_blobs() -> None:
    net = stepwise()
    index = net.layer_names.index("ip")
    net.storage["drop"].data[...] = 2
    net.storage["ip"].diff[...] = 1
    net.zero_diffs()

    net.run_back(index, index)

    weight, bias = (blob.diff for blob in net.parameter_blobs[index])
    np.testing.assert_array_equal(weight, np.full_like(weight, 8))  # 4 items of 2
    np.testing.assert_array_equal(bias, np.full_like(bias, 4))


def test_backward_goes_over_the_mask_that_forward_drew() -> None:
    net = stepwise(train=True)
    net.run()
    index = net.layer_names.index
    mask = net.storage["drop"].data / net.storage["pool"].data
    net.storage["drop"].diff[...] = 3

    net.run_back(index("drop"), index("drop"))

    np.testing.assert_allclose(net.storage["pool"].diff, 3 * mask, rtol=1e-6)


def test_the_top_of_a_loss_holds_its_weight() -> None:
    net = stepwise()

    assert net.storage["loss"].diff == 1
    assert net.storage["side"].diff.tolist() == [[0.25, 0.25]] * 4


def test_a_batch_of_another_size_flows_through() -> None:
    net = stepwise()
    net.run()
    views = {name: blob.data for name, blob in net.storage.items()}

    net.storage["data"].reshape(2, 3, 8, 7)
    net.storage["label"].reshape(2)
    net.reshape()

    assert net.storage["ip"].data.shape == (2, 6)
    net.run()
    net.run_back()
    assert np.shares_memory(views["ip"], net.storage["ip"].data)


def test_a_label_of_no_class_is_an_exception() -> None:
    net = stepwise()
    net.storage["label"].data[1] = 6

    with pytest.raises(LayerError, match=r"'loss'.*item 1 is 6"):
        net.run()


def test_only_backward_refuses_a_label_that_is_to_get_a_gradient() -> None:
    down = 'bottom: "label" propagate_down: true propagate_down: true'
    net = build_stepwise(graph_of(TEXT.format(force="").replace('bottom: "label"', down)))
    net.run()

    with pytest.raises(LayerError, match="cannot backpropagate to bottom 1, 'label'"):
        net.run_back()


def test_a_blob_shared_in_two_shapes_gets_the_gradients_of_both_layers() -> None:
    share = 'param { name: "w" share_mode: PERMISSIVE }'
    filler = 'bias_term: false weight_filler { type: "constant" value: 0.5 }'
    net = build_stepwise(
        graph_of(
            f"""
            layer {{ name: "data" type: "Input" top: "x" top: "y"
                    input_param {{ shape {{ dim: 1 dim: 2 }} shape {{ dim: 1 dim: 3 }} }} }}
            layer {{ name: "a" type: "InnerProduct" bottom: "x" top: "a" loss_weight: 1 {share}
                    inner_product_param {{ num_output: 3 {filler} }} }}
            layer {{ name: "b" type: "InnerProduct" bottom: "y" top: "b" loss_weight: 1 {share}
                    inner_product_param {{ num_output: 2 {filler} }} }}
            """
        )
    )
    net.storage["x"].data[...] = [[1, 2]]
    net.storage["y"].data[...] = [[10, 20, 30]]

    net.run()
    net.run_back()

    (gradient,) = gradients(net)
    assert gradient.tolist() == [[11, 22], [31, 12], [21, 32]]


def test_backward_before_forward_leaves_statistics_and_what_is_frozen_as_they_are() -> None:
    text = """
    force_backward: true
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 } } }
    layer { name: "batch" type: "BatchNorm" bottom: "data" top: "batch" }
    layer { name: "bn" type: "BN" bottom: "batch" top: "bn"
            bn_param { slope_filler { value: 2 } frozen: true eps: 3 } }
    """
    net = build_stepwise(graph_of(text, train=True))
    net.storage["data"].data[...] = [[1, 5, 2], [3, 5, 2], [1, 5, 9], [3, 5, 9]]
    net.storage["bn"].diff[...] = [[1, 0, 0]] + [[0, 0, 0]] * 3

    net.run_back()

    np.testing.assert_allclose(net.storage["batch"].diff[0], [1, 0, 0])
    np.testing.assert_allclose(net.storage["data"].diff[:3, 0], [0.5, 0, -0.5], atol=1e-4)
    assert [blob.data.tolist() for blob in net.parameter_blobs[1]] == [[0] * 3, [0] * 3, [0]]


OFFSET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 3 } } }
layer { name: "offset" type: "Parameter" top: "offset" parameter_param { shape { dim: 3 } } }
layer { name: "sum" type: "Eltwise" bottom: "x" bottom: "offset" top: "sum" loss_weight: 2 }
layer { name: "tanh" type: "TanH" bottom: "sum" top: "tanh" }
"""


@pytest.mark.parametrize("look", [False, True], ids=["unseen", "every blob seen"])
def test_a_parameter_learns(look: bool) -> None:
    net = build_stepwise(graph_of(OFFSET, train=True))
    for blob in net.storage.values() if look else ():
        assert blob.data.shape == (3,)
    offset = net.parameter_blobs[1][0]
    for step in (1, 2):
        offset.data[...] = [step, 2, 3]

        loss = net.run()
        net.run_back()

        assert loss == 2 * (step + 5)
        assert net.storage["offset"].data.tolist() == [step, 2, 3]
        assert net.storage["offset"].diff.tolist() == [2, 2, 2]
        assert offset.diff.tolist() == [2 * step] * 3


def test_what_is_written_over_a_parameters_top_does_not_change_the_parameter() -> None:
    net = build_stepwise(
        graph_of(
            OFFSET.replace('top: "offset"', 'top: "x2"').replace(
                'bottom: "offset" top: "sum"', 'bottom: "x2" top: "sum"'
            )
        )
    )
    net.run()

    net.storage["x2"].data[...] = 5

    assert not net.parameter_blobs[1][0].data.any()


DUMMY = """
layer { name: "data" type: "DummyData" top: "data" top: "label"
        dummy_data_param { shape { dim: 2 dim: 3 } shape { dim: 2 }
                           data_filler { type: "uniform" } data_filler { value: 4 } } }
layer { name: "tanh" type: "TanH" bottom: "data" top: "tanh" }
layer { name: "label_tanh" type: "TanH" bottom: "label" top: "label_tanh" }
"""


def test_what_is_written_over_a_constant_stays() -> None:
    net = build_stepwise(graph_of(DUMMY))
    assert net.storage["label"].data.tolist() == [4, 4]
    net.storage["label"].data[...] = [0, 7]
    net.storage["data"].data[...] = 9

    net.run()
    first = net.storage["data"].data.copy()
    net.run()

    assert net.storage["label"].data.tolist() == [0, 7]
    np.testing.assert_allclose(net.storage["label_tanh"].data, np.tanh([0, 7]), rtol=1e-6)
    assert (first < 1).all()
    assert not np.array_equal(net.storage["data"].data, first)
    assert net.positions() == {"data": 2}


def test_a_layer_that_was_moved_is_the_one_that_runs() -> None:
    net = build_stepwise(graph_of(DUMMY))
    net.run()

    net.seek({"data": 7}, seed=3)
    net.run()

    assert net.positions() == {"data": 8}


def test_source_layers_are_told_which_of_how_many_processes_this_is() -> None:
    net = build_stepwise(graph_of(DUMMY, train=True), rank=1, world=4)

    source = net.layers[0]

    assert isinstance(source, SourceLayer)
    assert source.source.share == (1, 4)


def test_what_a_selector_leaves_flows_on_and_back() -> None:
    net = build_stepwise(
        graph_of("""
        layer { name: "x" type: "Parameter" top: "x" parameter_param { shape { dim: 4 dim: 3 } } }
        layer { name: "chosen" type: "Input" top: "chosen" input_param { shape { dim: 4 } } }
        layer { name: "keep" type: "Filter" bottom: "x" bottom: "chosen" top: "kept" }
        layer { name: "tanh" type: "TanH" bottom: "kept" top: "tanh" loss_weight: 1 }
        """)
    )
    assert net.storage["tanh"].shape == (4, 3)
    for chosen in ([1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 1, 1]):
        net.storage["chosen"].data[...] = chosen
        net.zero_diffs()

        net.run()
        net.run_back()

        assert net.storage["tanh"].data.shape == (sum(chosen), 3)
        assert net.parameter_blobs[0][0].diff[:, 0].tolist() == chosen
        assert net.storage["x"].diff[:, 0].tolist() == chosen


RECURRENT = """
force_backward: true
layer { name: "x" type: "Input" top: "x" top: "cont"
        input_param { shape { dim: 4 dim: 3 dim: 2 } shape { dim: 4 dim: 3 } } }
layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "h"
        recurrent_param { num_output: 5 weight_filler { type: "xavier" } } }
"""


def recurrent() -> StepwiseNet:
    net = build_stepwise(graph_of(RECURRENT))
    net.storage["x"].data[...] = np.random.default_rng(1).normal(size=(4, 3, 2))
    net.storage["cont"].data[...] = 1
    return net


def test_a_state_goes_on_from_run_to_run_and_backward_goes_over_the_last() -> None:
    net, whole = recurrent(), build_net(graph_of(RECURRENT))
    whole.load_state_dict(net.state_dict())
    tops = {name: net.storage[name].values.tensor().clone() for name in ("x", "cont")}
    whole(**tops)
    whole(**tops)["h"].sum().backward()

    net.run()
    net.run()
    net.storage["h"].diff[...] = 1
    net.zero_diffs()
    net.run_back()

    for ours, theirs in zip(net.learnable, whole.learnable, strict=True):
        torch.testing.assert_close(ours.param.grad, theirs.param.grad)
    assert not net.storage["cont"].diff.any()


@pytest.mark.parametrize("streams", [3, 2], ids=["same streams", "fewer streams"])
def test_backward_that_runs_forward_again_leaves_the_state_as_it_was(streams: int) -> None:
    net = recurrent()
    net.run()
    state = {name: buffer.clone() for name, buffer in net.layers[1].named_buffers()}

    net.storage["x"].reshape(2, streams, 2)
    net.storage["cont"].reshape(2, streams)
    net.reshape()
    net.storage["h"].diff[...] = 1
    net.run_back()

    assert state.keys() == {"h", "c"}
    for name, buffer in net.layers[1].named_buffers():
        assert torch.equal(buffer, state[name])
