import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffepy.errors import LayerError
from tests.layers.conformance import check_layer, make_layer, random_bottoms

Array = NDArray[np.float64]
PROTOTXT = 'name: "norm1" type: "LRN" lrn_param { alpha: 2 %s }'
REGIONS = ["ACROSS_CHANNELS", "WITHIN_CHANNEL"]


def across(x: Array, size: int, beta: float, k: float) -> Array:
    y = np.empty(x.shape)
    for n, c, h, w in np.ndindex(x.shape):
        channels = range(max(0, c - size // 2), min(x.shape[1], c + size // 2 + 1))
        squares = sum(x[n, other, h, w] ** 2 for other in channels)
        y[n, c, h, w] = x[n, c, h, w] * (k + 2 / size * squares) ** -beta
    return y


def within(x: Array, size: int, beta: float) -> Array:
    y = np.empty(x.shape)
    for n, c, h, w in np.ndindex(x.shape):
        rows = range(max(0, h - size // 2), min(x.shape[2], h + size // 2 + 1))
        columns = range(max(0, w - size // 2), min(x.shape[3], w + size // 2 + 1))
        squares = sum(x[n, c, i, j] ** 2 for i in rows for j in columns)
        y[n, c, h, w] = x[n, c, h, w] * (1 + 2 / size**2 * squares) ** -beta
    return y


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("size", [1, 3, 5, 9])
@pytest.mark.parametrize("beta", [0.75, 0.5])
def test_conforms(region: str, size: int, beta: float) -> None:
    layer = make_layer(
        PROTOTXT % f"local_size: {size} beta: {beta} norm_region: {region}", (2, 7, 3, 4)
    )
    check_layer(layer, random_bottoms((2, 7, 3, 4)), tops=[(2, 7, 3, 4)])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    ("size", "beta", "k"), [(5, 0.75, 1), (3, 0.5, 2.5), (9, 1.5, 1), (1, 1, 3)]
)
def test_across_channels_is_damped_by_the_channels_around(
    size: int, beta: float, k: float, layout: torch.memory_format
) -> None:
    layer = make_layer(PROTOTXT % f"local_size: {size} beta: {beta} k: {k}", (2, 7, 3, 4))
    (x,) = random_bottoms((2, 7, 3, 4))

    y = layer(x.to(memory_format=layout))

    np.testing.assert_allclose(y.detach(), across(x.detach().numpy(), size, beta, k), rtol=1e-12)
    assert y.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("size", "beta"), [(5, 0.75), (3, 0.5), (7, 1)])
def test_within_channel_is_damped_by_the_pixels_around(
    size: int, beta: float, layout: torch.memory_format
) -> None:
    """k does not count there."""
    option = f"local_size: {size} beta: {beta} k: 7 norm_region: WITHIN_CHANNEL"
    layer = make_layer(PROTOTXT % option, (2, 3, 5, 4))
    (x,) = random_bottoms((2, 3, 5, 4))

    y = layer(x.to(memory_format=layout))

    np.testing.assert_allclose(y.detach(), within(x.detach().numpy(), size, beta), rtol=1e-12)
    assert y.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("engine", ["DEFAULT", "CAFFE", "CUDNN"])
def test_every_engine_means_the_same(engine: str) -> None:
    (x,) = random_bottoms((2, 7, 3, 4))

    y = make_layer(PROTOTXT % f"engine: {engine}", (2, 7, 3, 4))(x)

    np.testing.assert_allclose(y.detach(), across(x.detach().numpy(), 5, 0.75, 1), rtol=1e-12)


@pytest.mark.parametrize("size", [4, 0])
def test_an_even_region_has_no_middle(size: int) -> None:
    with pytest.raises(LayerError, match=f"'norm1' .*local_size is {size}, must be odd") as caught:
        make_layer(PROTOTXT % f"local_size: {size}", (2, 7, 3, 4))

    assert caught.value.field == "lrn_param.local_size"


@pytest.mark.parametrize("region", REGIONS)
def test_other_than_four_axes_are_refused(region: str) -> None:
    layer = make_layer(PROTOTXT % f"norm_region: {region}", (2, 7, 3))

    with pytest.raises(LayerError, match=r"must have 4 axes, .*\(2, 7, 3\)"):
        layer.top_shapes((2, 7, 3))


@pytest.mark.parametrize("region", REGIONS)
def test_compiles_and_exports_as_one_graph(region: str) -> None:
    layer = make_layer(PROTOTXT % f"norm_region: {region}", (2, 7, 3, 4))
    (x,) = random_bottoms((2, 7, 3, 4))

    compiled = torch.compile(layer, backend="eager", fullgraph=True)(x)
    exported: Tensor = torch.export.export(layer, (x,), strict=False).module()(x)

    torch.testing.assert_close(compiled, layer(x))
    torch.testing.assert_close(exported, layer(x))
