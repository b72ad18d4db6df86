from pathlib import Path

import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Layer, Shape
from caffepy.net.weights import write_weights
from caffepy.proto import NetParameter
from caffepy.proto.arrays import to_array
from caffepy.proto.files import read_binary
from tests.layers.conformance import check_layer, make_layer, random_bottoms
from tests.net.nets import net_of

PROTOTXT = 'name: "bn" type: "BatchNorm" batch_norm_param { %s }'


def blobs(layer: Layer) -> list[list[float]]:
    return [blob.tolist() for blob in layer.parameters()]


def set_blobs(layer: Layer, *values: list[float]) -> None:
    for blob, numbers in zip(layer.parameters(), values, strict=True):
        blob.data[...] = torch.tensor(numbers)


@pytest.mark.parametrize("training", [True, False], ids=["train", "test"])
@pytest.mark.parametrize(
    ("shape", "channels"),
    [((7,), 1), ((4, 3), 3), ((2, 3, 5), 3), ((2, 3, 4, 5), 3), ((2, 3, 1, 4, 5), 3)],
)
def test_conforms(shape: Shape, channels: int, training: bool) -> None:
    layer = make_layer(PROTOTXT % "", shape, training=training)
    layer.get_parameter("variance").data.fill_(2)
    layer.get_parameter("factor").data.fill_(3)
    check_layer(layer, random_bottoms(shape), tops=[shape], blobs=[(channels,), (channels,), (1,)])


@pytest.mark.parametrize(
    ("option", "training"),
    [
        pytest.param("", True, id="train"),
        pytest.param("use_global_stats: false", False, id="test without global stats"),
    ],
)
def test_the_batch_is_normalised_by_its_biased_variance(option: str, training: bool) -> None:
    layer = make_layer(PROTOTXT % f"eps: 0.5 {option}", (2, 3, 4, 5), training=training)
    (x,) = random_bottoms((2, 3, 4, 5))
    numbers = x.detach().numpy()
    expected = np.empty((2, 3, 4, 5))
    for c in range(3):
        mean = sum(numbers[:, c].ravel()) / 40
        variance = sum((numbers[:, c].ravel() - mean) ** 2) / 40
        expected[:, c] = (numbers[:, c] - mean) / (variance + 0.5) ** 0.5

    y = layer(x)

    np.testing.assert_allclose(y.detach(), expected, rtol=1e-12)
    assert blobs(layer)[2] == [1]


def test_three_forwards_add_up_sums_and_a_factor() -> None:
    layer = make_layer(PROTOTXT % "moving_average_fraction: 0.9", (2, 3, 4), training=True)
    (x,) = random_bottoms((2, 3, 4))

    for _ in range(3):
        layer(x)

    mean = [sum(x[:, c].flatten().tolist()) / 8 for c in range(3)]
    square = [sum((v - mean[c]) ** 2 for v in x[:, c].flatten().tolist()) for c in range(3)]
    np.testing.assert_allclose(blobs(layer)[0], [2.71 * m for m in mean], rtol=1e-6)
    np.testing.assert_allclose(blobs(layer)[1], [2.71 * s / 7 for s in square], rtol=1e-6)
    np.testing.assert_allclose(blobs(layer)[2], [2.71], rtol=1e-6)


def test_a_batch_of_one_number_has_the_factor_1_for_its_variance() -> None:
    layer = make_layer(PROTOTXT % "", (1, 2), training=True)

    y = layer(torch.tensor([[3.0, -5.0]], dtype=torch.double))

    assert y.tolist() == [[0, 0]]
    assert blobs(layer) == [[3, -5], [0, 0], [1]]


@pytest.mark.parametrize(
    ("option", "training"),
    [
        pytest.param("", False, id="test"),
        pytest.param("use_global_stats: true", True, id="train with global stats"),
    ],
)
def test_sums_over_the_factor_normalise_in_test(option: str, training: bool) -> None:
    layer = make_layer(PROTOTXT % f"eps: 1 {option}", (2, 2), training=training)
    set_blobs(layer, [4, 8], [12, 32], [4])
    before = blobs(layer)
    x = torch.tensor([[1.0, 2.0], [5.0, 8.0]], dtype=torch.double, requires_grad=True)

    y = layer(x)
    y.backward(torch.tensor([[1.0, 3.0], [2.0, 6.0]], dtype=torch.double))

    torch.testing.assert_close(y.detach(), torch.tensor([[0, 0], [2, 2]]).double())
    torch.testing.assert_close(x.grad, torch.tensor([[0.5, 1], [1, 2]]).double())
    assert blobs(layer) == before


def test_without_a_batch_before_mean_and_variance_are_0() -> None:
    layer = make_layer(PROTOTXT % "eps: 0.25", (2, 2))
    set_blobs(layer, [4, 8], [12, 32], [0])

    assert layer(torch.ones(2, 2).double()).tolist() == [[2, 2], [2, 2]]


def test_statistics_do_not_learn_and_saved_files_say_so() -> None:
    layer = make_layer(PROTOTXT % "" + "param { lr_mult: 0 decay_mult: 0 }", (2, 3))

    assert [blob.requires_grad for blob in layer.parameters()] == [False] * 3
    assert [spec.lr_mult for spec in layer.param.param] == [0, 0, 0]


def test_a_rate_for_a_statistic_is_refused() -> None:
    with pytest.raises(LayerError, match=r"'bn'.*param 1 has lr_mult 1.*statistics as layer par"):
        make_layer(PROTOTXT % "" + "param { lr_mult: 0 } param { lr_mult: 1 }", (2, 3))


def test_the_batch_may_change_but_not_the_channels() -> None:
    layer = make_layer(PROTOTXT % "", (2, 3, 4, 5))

    assert layer.top_shapes((7, 3, 2, 1)) == [(7, 3, 2, 1)]
    with pytest.raises(LayerError, match=r"\(2, 4, 4, 5\), must have 3 channels on axis 1"):
        layer.top_shapes((2, 4, 4, 5))


def test_shapes_are_found_without_touching_the_statistics() -> None:
    layer = make_layer(PROTOTXT % "", (2, 3), training=True)

    layer.top_shapes((2, 3))

    assert blobs(layer) == [[0, 0, 0], [0, 0, 0], [0]]


NET = """
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 } } }
    layer { name: "bn" type: "BatchNorm" bottom: "data" top: "data"
            batch_norm_param { moving_average_fraction: 0.5 } }
    layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
            inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
"""


def test_a_net_gathers_statistics_and_saves_them(tmp_path: Path) -> None:
    net = net_of(NET, train=True)
    x = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))

    net(data=x)
    net(data=x)["ip"].sum().backward()
    write_weights(net, tmp_path / "net.caffemodel")

    layer = read_binary(tmp_path / "net.caffemodel", NetParameter).layer[1]
    mean, variance, factor = (to_array(blob) for blob in layer.blobs)
    np.testing.assert_allclose(mean, 1.5 * x.mean(0), rtol=1e-6)
    np.testing.assert_allclose(variance, 1.5 * x.var(0), rtol=1e-5)
    assert factor.tolist() == [1.5]
    assert [spec.lr_mult for spec in layer.param] == [0, 0, 0]
    assert [entry.lr_mult for entry in net.learnable] == [0, 0, 0, 1, 1]
    assert [entry.param.grad is None for entry in net.learnable] == [True] * 3 + [False] * 2


def test_a_test_net_normalises_by_what_the_train_net_gathered() -> None:
    net, test_net = net_of(NET, train=True), net_of(NET)
    test_net.share_with(net)
    x = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))

    net(data=x)

    weight, bias = (entry.param.detach() for entry in net.learnable[3:])
    normal = (x - x.mean(0)) / (x.var(0) + 1e-5).sqrt()
    torch.testing.assert_close(test_net(data=x)["ip"].detach(), normal @ weight.T + bias)


def test_nvcaffes_learns_a_scale_and_a_bias() -> None:
    layer = make_layer(
        PROTOTXT % "scale_bias: true bias_filler { value: 0.5 }", (2, 3, 4, 5), training=True
    )
    plain = make_layer(PROTOTXT % "", (2, 3, 4, 5), training=True)
    (x,) = random_bottoms((2, 3, 4, 5))
    assert blobs(layer)[3:] == [[1, 1, 1], [0.5, 0.5, 0.5]]

    layer.get_parameter("scale").data[...] = torch.tensor([2.0, 3.0, 4.0])

    expected = plain(x) * torch.tensor([2.0, 3.0, 4.0]).view(3, 1, 1) + 0.5
    torch.testing.assert_close(layer(x), expected)
    check_layer(layer, [x], tops=[(2, 3, 4, 5)], blobs=[(3,), (3,), (1,), (3,), (3,)])
    assert [spec.lr_mult for spec in layer.param.param] == [0, 0, 0]


def test_nvcaffes_keeps_averages_from_the_first_batch_on() -> None:
    layer = make_layer(
        PROTOTXT % "scale_bias: true moving_average_fraction: 0.75", (2, 1), training=True
    )

    layer(torch.tensor([[1.0], [3.0]]).double())
    assert blobs(layer)[:3] == [[2], [2], [1]]
    layer(torch.tensor([[1.0], [9.0]]).double())
    assert blobs(layer)[:3] == [[0.75 * 2 + 0.25 * 5], [0.75 * 2 + 0.25 * 32], [1]]

    y = layer.eval()(torch.tensor([[2.75 + 9.5**0.5]]).double())
    assert y.item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("field", ["scale_filler", "bias_filler"])
def test_a_filler_without_scale_bias_is_refused(field: str) -> None:
    with pytest.raises(LayerError, match=f"{field} is given, but without scale_bias") as caught:
        make_layer(PROTOTXT % (field + " { value: 1 }"), (2, 3))

    assert caught.value.field == f"batch_norm_param.{field}"
