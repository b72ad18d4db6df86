import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "spp5" type: "SPP" spp_param { %s }'


def bin_edges(size: int, count: int) -> list[tuple[int, int]]:
    """[start, end) of the bins of one level along an axis, into the padding but not beyond it."""
    kernel = -(-size // count)
    pad = (kernel * count - size + 1) // 2
    starts = [index * kernel - pad for index in range(count)]
    return [(start, min(start + kernel, size + pad)) for start in starts]


def pyramid(
    x: torch.Tensor, levels: int, method: str
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Level by level, channel by channel, bin by bin, as loops."""
    items = []
    for item in x.detach().numpy():
        values = []
        for level in range(levels):
            rows, columns = (bin_edges(size, 2**level) for size in item.shape[1:])
            for plane in item:
                for top, bottom in rows:
                    for left, right in columns:
                        window = plane[max(top, 0) : bottom, max(left, 0) : right]
                        area = (bottom - top) * (right - left)
                        values.append(window.max() if method == "MAX" else window.sum() / area)
        items.append(values)
    return np.array(items)


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize(
    ("bottom", "levels"),
    [
        pytest.param((2, 3, 9, 8), 3, id="padded rows"),
        pytest.param((2, 3, 8, 4), 3, id="even"),
        pytest.param((2, 3, 10, 11), 3, id="padded columns"),
        pytest.param((2, 3, 4, 5), 2, id="2 levels"),
    ],
)
def test_value_and_gradient(bottom: Shape, levels: int, method: str) -> None:
    layer = make_layer(PROTOTXT % f"pyramid_height: {levels} pool: {method}", bottom)
    (x,) = random_bottoms(bottom)
    count = 3 * sum(4**level for level in range(levels))

    np.testing.assert_allclose(layer(x).detach(), pyramid(x, levels, method), atol=1e-12)
    check_layer(layer, [x], tops=[(2, count)])


@pytest.mark.parametrize("method", ["MAX", "AVE", "STOCHASTIC"])
def test_one_level_alone_stays_a_plane(method: str) -> None:
    layer = make_layer(PROTOTXT % f"pyramid_height: 1 pool: {method}", (2, 3, 4, 5))

    x = random_bottoms((2, 3, 4, 5))[0].detach().abs().requires_grad_()

    check_layer(layer, [x], tops=[(2, 3, 1, 1)])


def test_the_top_is_of_one_size_whatever_that_of_the_planes() -> None:
    layer = make_layer(PROTOTXT % "pyramid_height: 3", (2, 3, 9, 8))

    assert layer.top_shapes((2, 3, 9, 8)) == layer.top_shapes((2, 3, 14, 16)) == [(2, 63)]


def test_stochastic_samples_in_training() -> None:
    prototxt = PROTOTXT % "pyramid_height: 2 pool: STOCHASTIC"
    x = random_bottoms((2, 3, 4, 6))[0].detach().abs()

    drawn = make_layer(prototxt, (2, 3, 4, 6), training=True)(x)
    expected = make_layer(prototxt, (2, 3, 4, 6))(x)

    assert torch.isin(drawn, x).all()
    torch.testing.assert_close(
        expected[:, :3], (x.square().sum((2, 3)) / x.sum((2, 3))), rtol=1e-10, atol=0
    )


@pytest.mark.parametrize(
    ("options", "bottom", "field", "text"),
    [
        pytest.param("", (2, 3, 4, 5), "pyramid_height", "missing or 0", id="no height"),
        pytest.param(
            "pyramid_height: 3",
            (2, 3, 8, 5),
            "pyramid_height",
            r"4 bins a side over a plane of \(8, 5\), kernel \(2, 2\), need a pad of \(0, 2\)",
            id="pad",
        ),
        pytest.param(
            "pyramid_height: 2 pool: STOCHASTIC",
            (2, 3, 4, 5),
            "pool",
            "only MAX and AVE",
            id="pool",
        ),
    ],
)
def test_errors_name_the_layer_and_the_field(
    options: str, bottom: Shape, field: str, text: str
) -> None:
    with pytest.raises(LayerError, match=f"'spp5' .*{text}") as caught:
        make_layer(PROTOTXT % options, bottom).top_shapes(bottom)

    assert caught.value.field == f"spp_param.{field}"


@pytest.mark.parametrize("bottom", [(2, 60), (2, 3, 0, 5)], ids=["2 axes", "empty"])
def test_impossible_bottoms(bottom: Shape) -> None:
    layer = make_layer(PROTOTXT % "pyramid_height: 1", (2, 3, 4, 5))

    with pytest.raises(LayerError, match=r"'spp5' .*Input must have 4 axes"):
        layer.top_shapes(bottom)
