import numpy as np
import pytest
import torch
from torch import nn

from caffepy.blob import Blob
from caffepy.errors import LayerError
from caffepy.layers.layer import Source, build, build_source
from caffepy.net.need import Need
from caffepy.net.stage import Stage, add_to, unchanged
from caffepy.proto import LayerParameter
from caffepy.proto.files import parse_text

CPU = torch.device("cpu")


def message(text: str) -> LayerParameter:
    return parse_text(text.encode(), LayerParameter, "layer.prototxt")[0]


def blob(*shape: int, of: float = 0) -> Blob:
    made = Blob(shape, CPU)
    made.data[...] = of
    return made


def stage(text: str, bottoms: list[Blob], tops: list[Blob], *, backward: bool = True) -> Stage:
    layer = build(message(text), *(bottom.shape for bottom in bottoms))
    need = Need(backward, (backward,) * len(bottoms))
    return Stage(layer, bottoms, tops, need, list(layer.parameters()), [False] * len(tops))


PRODUCT = """
name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param {
  num_output: 2 weight_filler { type: "constant" value: 3 } }
"""
TANH = 'name: "tanh" type: "TanH" bottom: "x" top: "y"'


def test_a_layer_runs_from_blobs_to_blobs_and_back() -> None:
    x, y = blob(1, 4, of=1), blob(1, 2)
    product = stage(PRODUCT, [x], [y])
    weight, bias = product.layer.parameters()

    product.forward()
    y.diff[...] = [[1, 10]]
    product.backward()
    product.backward()

    assert y.data.tolist() == [[12, 12]]
    assert x.diff.tolist() == [[33] * 4]
    assert weight.grad is not None
    assert bias.grad is not None
    assert weight.grad.tolist() == [[2] * 4, [20] * 4]
    assert bias.grad.tolist() == [2, 20]


@pytest.mark.parametrize("backward", [True, False], ids=["learns", "does not learn"])
def test_in_place_the_numbers_are_overwritten_once(backward: bool) -> None:
    x = blob(3, of=0.5)
    tanh = stage(TANH, [x], [x], backward=backward)

    tanh.forward()
    np.testing.assert_allclose(x.data, np.tanh([0.5] * 3), rtol=1e-6)
    if backward:
        x.diff[...] = 2
        tanh.backward()
        np.testing.assert_allclose(x.diff, 2 * (1 - np.tanh([0.5] * 3) ** 2), rtol=1e-6)


def test_images_reach_the_layer_with_their_channels_last() -> None:
    x, y = blob(2, 3, 4, 5), blob(2, 3, 4, 5)
    seen: list[torch.Tensor] = []
    tanh = stage(TANH, [x], [y], backward=False)
    tanh.layer.register_forward_pre_hook(lambda _layer, bottoms: seen.extend(bottoms))

    tanh.forward()

    assert seen[0].is_contiguous(memory_format=torch.channels_last)
    assert y.data.flags.c_contiguous


def test_constant_tops_of_a_source_keep_what_is_in_them() -> None:
    param = message(
        'name: "x" type: "DummyData" top: "x" top: "y" dummy_data_param { '
        "shape { dim: 2 } data_filler { value: 4 } }"
    )
    layer = build_source(param, Source(training=False, device=CPU, seed=0))
    x, y = blob(2, of=9), blob(2, of=9)

    Stage(layer, [], [x, y], Need(False, ()), [], [True, False]).forward()

    assert x.data.tolist() == [9, 9]
    assert y.data.tolist() == [4, 4]


def test_a_forgotten_pass_is_run_again_for_backward() -> None:
    x, y = blob(1, of=1), blob(1)
    tanh = stage(TANH, [x], [y])
    tanh.forward()
    x.data[...] = 0
    y.diff[...] = 1
    tanh.forget()

    tanh.backward()

    assert x.diff == 1
    assert y.data == np.tanh(np.float32(1))


def test_bottoms_are_checked() -> None:
    scores, labels, loss = blob(2, 3), blob(2, of=3), blob()
    text = 'name: "loss" type: "SoftmaxWithLoss" bottom: "x" bottom: "y" top: "loss"'

    with pytest.raises(LayerError, match=r"'loss'.*item 0 is 3"):
        stage(text, [scores, labels], [loss]).forward()


def test_gradients_are_added_in_their_memory() -> None:
    parameter = nn.Parameter(torch.zeros(2))
    add_to([parameter], [torch.ones(2)])
    memory = parameter.grad

    add_to([parameter, parameter], [torch.ones(2), None])

    assert memory is parameter.grad
    assert memory is not None
    assert memory.tolist() == [2, 2]


def test_what_a_forward_pass_changes_is_put_back() -> None:
    param = message('name: "bn" type: "BatchNorm" bottom: "x" top: "y"')
    layer = build(param, (4, 3))
    before = [blob.clone() for blob in layer.parameters()]
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)

    with unchanged(layer):
        layer(torch.rand(4, 3))

    assert all(map(torch.equal, layer.parameters(), before))
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize("backward", [True, False], ids=["learns", "does not learn"])
def test_what_a_layer_hands_on_is_not_what_is_written_into_its_bottom_later(backward: bool) -> None:
    x, y = blob(2, 3, of=4), Blob((2, 3), CPU)
    text = 'name: "drop" type: "Dropout" bottom: "x" top: "y"'
    dropout = stage(text, [x], [y], backward=backward)
    dropout.layer.eval()

    dropout.forward()
    x.data[...] = 0

    assert y.data.tolist() == [[4, 4, 4]] * 2


def test_what_goes_back_through_a_layer_is_not_what_is_written_above_it_later() -> None:
    x, y = Blob((2, 3), CPU), blob(2, 3)
    dropout = stage('name: "drop" type: "Dropout" bottom: "x" top: "y"', [x], [y])
    dropout.layer.eval()
    dropout.forward()
    y.diff[...] = 4

    dropout.backward()
    y.diff[...] = 0

    assert x.diff.tolist() == [[4, 4, 4]] * 2
