import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "mvn" type: "MVN" mvn_param { %s }'


@pytest.mark.parametrize("variance", [True, False], ids=["variance", "mean only"])
@pytest.mark.parametrize("across", [True, False], ids=["across channels", "by channel"])
def test_each_plane_or_item_has_mean_0_and_deviation_1(variance: bool, across: bool) -> None:
    option = f"normalize_variance: {variance} across_channels: {across} eps: 0.25".lower()
    layer = make_layer(PROTOTXT % option, (2, 3, 4, 5))
    (x,) = random_bottoms((2, 3, 4, 5))
    rows = x.detach().numpy().reshape(2 if across else 6, -1)
    expected = np.empty(rows.shape)
    for row, numbers in enumerate(rows):
        mean = sum(numbers) / len(numbers)
        deviation = (sum((numbers - mean) ** 2) / len(numbers)) ** 0.5
        expected[row] = (numbers - mean) / (deviation + 0.25) if variance else numbers - mean

    np.testing.assert_allclose(layer(x).detach().reshape(rows.shape), expected, rtol=1e-12)


@pytest.mark.parametrize("option", ["", "across_channels: true", "normalize_variance: false"])
def test_conforms(option: str) -> None:
    layer = make_layer(PROTOTXT % option, (2, 3, 4, 5))

    check_layer(layer, random_bottoms((2, 3, 4, 5)), tops=[(2, 3, 4, 5)])


def test_the_gradient_is_caffes_where_eps_counts() -> None:
    layer = make_layer(PROTOTXT % "eps: 0.5", (1, 1, 1, 3))
    x = torch.tensor([[[[1.0, 2.0, 6.0]]]], dtype=torch.double, requires_grad=True)
    g = [3.0, 0.0, -1.0]

    y = layer(x)
    y.backward(torch.tensor(g, dtype=torch.double).view(1, 1, 1, 3))

    deviation = (14 / 3) ** 0.5 + 0.5  # of 1, 2, 6, whose mean is 3
    normal = [number / deviation for number in (-2, -1, 3)]
    product = sum(a * b for a, b in zip(normal, g, strict=True)) / 3
    expected = [(g[i] - 2 / 3 - normal[i] * product) / deviation for i in range(3)]
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.flatten(), expected, rtol=1e-12)


def test_a_constant_plane_has_a_finite_gradient() -> None:
    layer = make_layer(PROTOTXT % "eps: 0.5", (1, 1, 1, 2))
    x = torch.full((1, 1, 1, 2), 7.0, dtype=torch.double, requires_grad=True)

    y = layer(x)
    y.backward(torch.tensor([[[[1.0, 3.0]]]], dtype=torch.double))

    assert y.flatten().tolist() == [0, 0]
    assert x.grad is not None
    assert x.grad.flatten().tolist() == [-2, 2]


@pytest.mark.parametrize(
    ("bottom", "top"),
    [((2, 3, 4), (2, 3, 4, 1)), ((2, 3), (2, 3, 1, 1)), ((2,), (2, 1, 1, 1))],
)
def test_the_top_has_four_axes(bottom: Shape, top: Shape) -> None:
    assert make_layer(PROTOTXT % "", bottom).top_shapes(bottom) == [top]


def test_more_than_four_axes_are_refused() -> None:
    with pytest.raises(LayerError, match=r"'mvn'.*\(2, 3, 4, 5, 6\), may have at most 4 axes"):
        make_layer(PROTOTXT % "", (2, 3, 4, 5, 6)).top_shapes((2, 3, 4, 5, 6))
