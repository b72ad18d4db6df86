import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "prelu" type: "PReLU" prelu_param { %s }'


@pytest.mark.parametrize(
    ("option", "slopes"),
    [
        pytest.param("", (3,), id="a slope a channel"),
        pytest.param("channel_shared: true", (), id="one slope"),
        pytest.param("filler { type: 'gaussian' std: 1 }", (3,), id="random slopes"),
    ],
)
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3), (2, 3, 4, 5, 6)], ids=str)
def test_conforms(option: str, slopes: Shape, shape: Shape) -> None:
    layer = make_layer(PROTOTXT % option, shape)
    check_layer(layer, random_bottoms(shape), tops=[shape], blobs=[slopes])


@pytest.mark.parametrize("shared", [False, True], ids=["a slope a channel", "one slope"])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last], ids=str)
def test_values_and_gradients_are_those_of_the_loop(
    shared: bool, memory: torch.memory_format
) -> None:
    layer = make_layer(PROTOTXT % f"channel_shared: {shared}".lower(), (2, 3, 4, 5))
    (blob,) = layer.parameters()
    blob.data = torch.tensor([0.5, -2.0, 3.0], dtype=torch.double)[0 if shared else slice(None)]
    x = (random_bottoms((2, 3, 4, 5))[0].detach() * 3).round().contiguous(memory_format=memory)
    x.requires_grad_()
    values, slopes = x.detach().numpy(), np.broadcast_to(blob.detach().numpy(), 3)
    y, x_grad, slope_grad = np.empty(x.shape), np.empty(x.shape), np.zeros(3)
    for n, c, h, w in np.ndindex(*x.shape):
        value = float(values[n, c, h, w])
        y[n, c, h, w] = value if value > 0 else slopes[c] * value
        x_grad[n, c, h, w] = 1 if value > 0 else slopes[c]
        slope_grad[c] += min(value, 0)

    top = layer(x)
    top.sum().backward()

    assert (values == 0).any(), "some inputs are 0"
    np.testing.assert_allclose(top.detach(), y)
    assert x.grad is not None
    np.testing.assert_allclose(x.grad, x_grad)
    assert blob.grad is not None
    np.testing.assert_allclose(blob.grad, slope_grad.sum() if shared else slope_grad)


@pytest.mark.parametrize(
    ("option", "slope"),
    [
        pytest.param("", 0.25, id="no filler"),
        pytest.param("filler { }", 0, id="an empty filler: constant 0"),
        pytest.param("filler { value: 0.5 }", 0.5, id="constant"),
    ],
)
@pytest.mark.parametrize("shared", ["", "channel_shared: true "], ids=["channels", "shared"])
def test_the_slope_starts_as_its_filler_says(shared: str, option: str, slope: float) -> None:
    (blob,) = make_layer(PROTOTXT % (shared + option), (2, 3)).parameters()

    assert (blob == slope).all()


def test_the_batch_and_the_plane_may_change_but_not_the_channels() -> None:
    layer = make_layer(PROTOTXT % "", (2, 3, 4, 5))

    assert layer.top_shapes((7, 3, 2)) == [(7, 3, 2)]
    with pytest.raises(LayerError, match=r"'prelu'.*\(2, 4, 4, 5\) has 4 channels.*for 3"):
        layer.top_shapes((2, 4, 4, 5))


def test_one_slope_is_for_any_number_of_channels() -> None:
    layer = make_layer(PROTOTXT % "channel_shared: true", (2, 3, 4, 5))

    assert layer.top_shapes((2, 6, 4, 5)) == [(2, 6, 4, 5)]
    with pytest.raises(LayerError, match=r">=2.*\(6,\)"):
        layer.top_shapes((6,))


def test_a_bottom_without_channels_is_refused() -> None:
    with pytest.raises(LayerError, match=r"'prelu'.*Number of axes .* >=2.*\(4,\)"):
        make_layer(PROTOTXT % "", (4,))


def test_an_unknown_filler_is_refused() -> None:
    with pytest.raises(LayerError, match=r"'prelu'.*'constnt'") as caught:
        make_layer(PROTOTXT % "filler { type: 'constnt' }", (2, 3))

    assert caught.value.field == "prelu_param.filler.type"
