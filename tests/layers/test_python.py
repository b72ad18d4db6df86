from pathlib import Path
from typing import Protocol, cast

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from torch import Tensor

from caffepy.errors import LayerError
from caffepy.layers.layer import Layer as TorchLayer
from caffepy.layers.layer import Shape, Source, build, build_source
from caffepy.layers.python import Blobs, Layer, Python, PythonSource
from caffepy.net.net import Net
from caffepy.net.stepwise import build_stepwise
from caffepy.proto import LayerParameter
from tests.layers.user_classes import python_layer, write_classes
from tests.net.nets import graph_of, net_of


class Loss(Protocol):
    asked: list[bool]


class Watch(Protocol):
    seen: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]


@pytest.fixture(autouse=True)
def folder(user_folder: Path) -> None:
    write_classes(user_folder)


def make(prototxt: str, *bottoms: Shape) -> Python:
    layer = build(text_format.Parse(prototxt, LayerParameter()), *bottoms)
    assert isinstance(layer, Python)
    return layer


SCALED = python_layer("scaled", "Scaled", 'bottom: "x" top: "y" top: "w"', '{"start": 2}')
LOSS = python_layer("loss", "EuclideanLoss", 'bottom: "a" bottom: "b" top: "loss"')


def test_the_class_computes_and_shapes_the_tops() -> None:
    layer = make(SCALED, (2, 3, 4, 5))
    x = torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last)

    y, w = layer(x)

    assert layer.top_shapes((2, 3, 4, 5)) == [(2, 3, 4, 5), ()]
    torch.testing.assert_close(y, 2 * x)
    assert w == 2


def test_bottoms_may_change_their_shape() -> None:
    layer = make(SCALED, (2, 3))

    assert layer.top_shapes((5, 3)) == [(5, 3), ()]
    assert layer(torch.ones(7, 3))[0].shape == (7, 3)


def test_gradients_are_what_backward_writes() -> None:
    layer = make(SCALED, (2, 3))
    x = torch.arange(6.0).reshape(2, 3).requires_grad_()

    y, _ = layer(x)
    (y * torch.tensor([1.0, 2.0, 3.0])).sum().backward()

    assert x.grad is not None
    assert x.grad.tolist() == [[2, 4, 6]] * 2
    (blob,) = layer.parameters()
    assert blob.grad is not None
    assert blob.grad.item() == 1 * 3 + 2 * 5 + 3 * 7


def test_gradients_of_blobs_add_up() -> None:
    layer = make(SCALED, (2, 3))
    for _ in range(2):
        layer(torch.ones(2, 3))[0].sum().backward()

    (blob,) = layer.parameters()
    assert blob.grad is not None
    assert blob.grad.item() == 12
    assert layer.host.user.blobs[0].diff[0] == 12


@pytest.mark.parametrize("wanted", [[True, False], [False, True], [True, True]], ids=str)
def test_backward_is_told_which_bottoms_want_a_gradient(wanted: list[bool]) -> None:
    layer = make(LOSS, (2, 3), (2, 3))
    a, b = (torch.rand(2, 3, requires_grad=flag) for flag in wanted)

    (loss,) = layer(a, b)
    (5 * loss.sum()).backward()

    torch.testing.assert_close(loss, ((a - b) ** 2).sum().reshape(1) / 4)
    assert cast("Loss", layer.host.user).asked == wanted
    for bottom, sign, flag in zip((a, b), (1, -1), wanted, strict=True):
        expected = sign * 5 * (a - b).detach() / 2 if flag else None
        torch.testing.assert_close(bottom.grad, expected)


def test_a_bottom_whose_diff_is_not_written_gets_zeros() -> None:
    layer = make(python_layer("f", "Fails", 'bottom: "x" top: "y"'), (2, 3))
    x = torch.rand(2, 3, requires_grad=True)

    (y,) = layer(x)
    y.sum().backward()

    assert x.grad is not None
    assert not x.grad.any()


def test_tops_of_a_batch_stay_when_the_next_is_run() -> None:
    layer = make(SCALED, (2, 3))
    first, _ = layer(torch.ones(2, 3))

    layer(torch.zeros(2, 3))

    assert first.tolist() == [[2, 2, 2]] * 2


def test_in_place_the_top_is_the_bottom() -> None:
    layer = make(python_layer("f", "Fails", 'bottom: "x" top: "x"'), (2, 3))
    x = torch.rand(2, 3, requires_grad=True)

    (y,) = layer(x)
    (3 * y).sum().backward()

    torch.testing.assert_close(y, x)
    assert x.grad is not None
    assert x.grad.tolist() == [[3, 3, 3]] * 2


def test_a_layer_may_have_no_top() -> None:
    layer = make(python_layer("watch", "Watch", 'bottom: "x"'), (2, 3))

    assert layer(torch.ones(2, 3, requires_grad=True)) == ()
    assert layer.top_shapes((2, 3)) == []
    assert [x.tolist() for x in cast("Watch", layer.host.user).seen] == [[[1, 1, 1]] * 2]


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_the_phase_is_known(phase: str) -> None:
    layer = make(python_layer("p", "Phase", f'bottom: "x" top: "p" phase: {phase}'), (2,))

    assert layer(torch.zeros(2))[0].item() == ["TRAIN", "TEST"].index(phase)


@pytest.mark.parametrize("method", ["setup", "reshape", "forward", "backward"])
def test_what_a_method_raises_names_the_layer_and_the_method(method: str) -> None:
    def run() -> None:
        layer = make(python_layer("f", "Fails", 'bottom: "x" top: "y"', method), (2, 3))
        (y,) = layer(torch.rand(2, 3, requires_grad=True))
        y.sum().backward()

    with pytest.raises(
        LayerError, match=rf"'f' \(Python\): classes\.Fails\.{method}: KeyError: 'anchors' .*py:\d+"
    ) as caught:
        run()

    assert isinstance(caught.value.__cause__, KeyError)
    assert caught.value.field == "python_param.layer"


def test_backward_may_be_missing_until_it_is_needed() -> None:
    layer = make(python_layer("p", "Phase", 'bottom: "x" top: "p"'), (2,))
    layer(torch.zeros(2))

    (top,) = layer(torch.zeros(2, requires_grad=True))
    with pytest.raises(LayerError, match=r"classes\.Phase\.backward: .*has no method backward"):
        top.backward()


def test_blobs_are_added_in_setup_only() -> None:
    blobs = Blobs()
    blobs.add_blob(2, 3)
    blobs.closed = True

    assert [blob.shape for blob in blobs] == [(2, 3)]
    assert len(blobs) == 1
    with pytest.raises(ValueError, match="blobs are added in setup"):
        blobs.add_blob(1)


def test_the_base_has_no_methods_of_its_own() -> None:
    layer = Layer(LayerParameter())

    for call in (layer.setup, layer.reshape, layer.forward):
        with pytest.raises(NotImplementedError):
            call([], [])


def source_layer(layer: str) -> TorchLayer:
    param = text_format.Parse(python_layer("data", layer, 'top: "x" top: "y"'), LayerParameter())
    return build_source(param, Source(training=True, device=torch.device("cpu"), seed=5))


def test_without_bottoms_it_reads_data() -> None:
    layer = source_layer("Rows")
    assert isinstance(layer, PythonSource)

    x, y = layer.read()
    again, _ = layer.read()

    assert layer.top_shapes() == [(4, 3), (4, 2)]
    assert layer.position is None
    torch.testing.assert_close(y, x[:, :2] * torch.tensor([3.0, -1.0]))
    assert not torch.equal(again, x)


def test_without_bottoms_it_cannot_learn(user_folder: Path) -> None:
    text = (user_folder / "classes.py").read_text()
    (user_folder / "classes.py").write_text(
        text.replace("self.batches = 0", "self.blobs.add_blob(1)")
    )

    with pytest.raises(LayerError, match=r"'data' .*adds blobs to learn, but has no bottoms"):
        source_layer("Rows")


NET = f"""
layer {{ {python_layer("rows", "Rows", 'top: "x" top: "y"')} }}
layer {{ name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
        inner_product_param {{ num_output: 2 weight_filler {{ type: "xavier" }} }} }}
layer {{ {python_layer("scaled", "Scaled", 'bottom: "ip" top: "z" param { name: "w" }', '{"start": 2}')} }}
layer {{ {python_layer("again", "Scaled", 'bottom: "z" top: "zz" param { name: "w" }', '{"start": 9}')} }}
layer {{ {python_layer("loss", "EuclideanLoss", 'bottom: "zz" bottom: "y" top: "loss" loss_weight: 0.5')} }}
"""


def gradients(net: Net) -> list[Tensor | None]:
    net.zero_diffs()
    net.forward_backward()
    return [entry.param.grad for entry in net.learnable]


def test_a_net_of_them_has_the_gradients_of_the_formula_and_shares_blobs() -> None:
    net = net_of(NET, train=True)
    weight, bias, w = (entry.param.detach().clone().requires_grad_() for entry in net.learnable)
    rng = np.random.default_rng([0, 0])
    x = torch.from_numpy(rng.normal(size=(4, 3)).astype(np.float32))

    ours = gradients(net)

    z = w * w * (x @ weight.T + bias)
    loss = 0.5 * ((z - x[:, :2] * torch.tensor([3.0, -1.0])) ** 2).sum() / 8
    expected = torch.autograd.grad(loss, (weight, bias, w))
    torch.testing.assert_close(ours, list(expected))
    assert net.objective(net.tops).item() == pytest.approx(loss.item())
    assert w.item() == 2


def test_layer_by_layer_it_is_the_same() -> None:
    net, whole = build_stepwise(graph_of(NET, train=True)), net_of(NET, train=True)
    whole.load_state_dict(net.state_dict())
    for _ in range(2):
        torch.testing.assert_close(gradients(net), gradients(whole))

    index = net.layer_names.index("scaled")
    layer = net.layers[index]
    assert isinstance(layer, Python)
    assert np.shares_memory(layer.host.user.blobs[0].diff, net.parameter_blobs[index][0].diff)


def test_blobs_are_not_shared_in_another_shape(user_folder: Path) -> None:
    text = (user_folder / "classes.py").read_text()
    (user_folder / "classes.py").write_text(text.replace("add_blob(1)", "add_blob(*SHAPES.pop())"))
    with (user_folder / "classes.py").open("a") as file:
        file.write("SHAPES = [(1, 1), (1,)]\n")
    net = net_of(NET.replace('name: "w"', 'name: "w" share_mode: PERMISSIVE'), train=True)

    with pytest.raises(LayerError, match=r"'again' .*blob 0 is shared in another shape"):
        net.forward_backward()


def test_mistakes_are_told_with_their_place() -> None:
    with pytest.raises(
        LayerError, match=r"^net\.prototxt:2:\d+: layer 'rows' .*did you mean 'Rows'"
    ):
        net_of(NET.replace("'Rows'", "'Row'"))
    text = NET.replace('bottom: "zz" bottom: "y"', 'bottom: "zz" bottom: "x"')
    with pytest.raises(
        LayerError, match=r"'loss' .*reshape: .*Inputs must have the same dimension"
    ):
        net_of(text)


def test_a_source_that_does_not_tell_its_place_is_left_where_it_is() -> None:
    net = net_of(NET, train=True)
    first = net.read()["x"]

    assert net.positions() == {}
    net.seek(net.positions(), 5)

    assert not torch.equal(net.read()["x"], first)


def test_its_blobs_are_those_of_the_net() -> None:
    net = net_of(NET, train=True)

    (blob,) = net.blobs_of(net.layer_names.index("scaled"))

    assert blob.tolist() == [2]
    assert [entry.layer for entry in net.learnable] == ["ip", "ip", "scaled"]
