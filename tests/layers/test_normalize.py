import numpy as np
import pytest

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "norm" type: "Normalize" norm_param { %s }'


@pytest.mark.parametrize("shared", [True, False], ids=["one scale", "a scale a channel"])
@pytest.mark.parametrize("whole", [True, False], ids=["across space", "by pixel"])
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 3, 4, 5)], ids=str)
def test_the_length_becomes_the_scale(shape: Shape, whole: bool, shared: bool) -> None:
    option = f"across_spatial: {whole} channel_shared: {shared} eps: 0.5 ".lower()
    layer = make_layer(PROTOTXT % (option + 'scale_filler { type: "uniform" }'), shape)
    (x,) = random_bottoms(shape)
    check_layer(layer, [x], tops=[shape], blobs=[(1,) if shared else (3,)])
    numbers = x.detach().numpy().reshape(2, 3, -1)
    (scale,) = (blob.tolist() * (3 if shared else 1) for blob in layer.parameters())
    expected = np.empty(numbers.shape)
    for n, c, p in np.ndindex(numbers.shape):
        squares = sum(numbers[n].ravel() ** 2) if whole else sum(numbers[n, :, p] ** 2)
        expected[n, c, p] = scale[c] * numbers[n, c, p] / (squares + 0.5) ** 0.5

    np.testing.assert_allclose(layer(x).detach().reshape(numbers.shape), expected, rtol=1e-12)


def test_without_a_filler_the_scale_is_1() -> None:
    layer = make_layer(PROTOTXT % "channel_shared: false", (2, 3, 4))

    assert [blob.tolist() for blob in layer.parameters()] == [[1, 1, 1]]


def test_one_axis_is_refused() -> None:
    with pytest.raises(LayerError, match=r"'norm'.*axes of bottom blob must be >=2.*\(2,\)"):
        make_layer(PROTOTXT % "", (2,))


def test_another_batch_must_have_the_channels() -> None:
    layer = make_layer(PROTOTXT % "", (2, 3, 4))

    assert layer.top_shapes((5, 3, 2)) == [(5, 3, 2)]
    with pytest.raises(LayerError, match=r"\(2, 4, 4\), must have 3 channels on axis 1"):
        layer.top_shapes((2, 4, 4))
    with pytest.raises(LayerError, match="must be >=2"):
        layer.top_shapes((3,))


def test_a_filler_that_cannot_be_is_named() -> None:
    with pytest.raises(LayerError, match="'norm'") as caught:
        make_layer(PROTOTXT % "scale_filler { type: 'x' }", (2, 3))

    assert caught.value.field == "norm_param.scale_filler.type"
