import numpy as np
import pytest

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "axpy" type: "Axpy"'


@pytest.mark.parametrize(
    ("scale", "shape"),
    [
        pytest.param((2, 3), (2, 3, 4, 5), id="2 axes"),
        pytest.param((2, 3, 1, 1), (2, 3, 4, 5), id="4 axes"),
        pytest.param((2, 3), (2, 3), id="one number a channel"),
    ],
)
def test_each_channel_has_a_scale_of_its_own(scale: Shape, shape: Shape) -> None:
    layer = make_layer(PROTOTXT, scale, shape, shape)
    a, x, y = random_bottoms(scale, shape, shape)
    check_layer(layer, [a, x, y], tops=[shape])
    expected = np.empty(shape)
    for n, c in np.ndindex(2, 3):
        expected[n, c] = (a[n, c].item() * x[n, c] + y[n, c]).detach()

    np.testing.assert_allclose(layer(a, x, y).detach(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        pytest.param([(2, 3), (2, 3, 4), (2, 3, 5)], r"\(2, 3, 4\) and \(2, 3, 5\)", id="y"),
        pytest.param([(2, 4), (2, 3, 4), (2, 3, 4)], r"is \(2, 4\), must be \(2, 3\)", id="a"),
        pytest.param([(2, 3, 4), (2, 3, 4), (2, 3, 4)], r"is \(2, 3, 4\), must", id="a full"),
        pytest.param([(2,), (2, 3), (2, 3)], r"is \(2,\), must", id="a of 1 axis"),
        pytest.param([(2,), (2,), (2,)], r"is \(2,\), must", id="all of 1 axis"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shapes: list[Shape], text: str) -> None:
    layer = make_layer(PROTOTXT, *shapes)

    with pytest.raises(LayerError, match=f"'axpy'.*{text}"):
        layer.top_shapes(*shapes)
