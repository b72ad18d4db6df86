import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from tests.layers.conformance import check_layer, make_layer, random_bottoms


@pytest.mark.parametrize(
    ("option", "axis"),
    [
        pytest.param("", 1, id="default"),
        pytest.param("softmax_param { axis: 2 }", 2, id="axis 2"),
        pytest.param("softmax_param { axis: -1 }", 3, id="last axis"),
        pytest.param("softmax_param { engine: CUDNN }", 1, id="engine"),
    ],
)
def test_each_value_is_its_share_of_the_exponentials(option: str, axis: int) -> None:
    layer = make_layer(f'type: "Softmax" {option}', (2, 3, 4, 5))
    (x,) = random_bottoms((2, 3, 4, 5))
    check_layer(layer, [x], tops=[(2, 3, 4, 5)])
    lines = np.moveaxis(x.detach().numpy(), axis, -1)
    expected = np.empty(lines.shape)
    for place in np.ndindex(lines.shape[:-1]):
        for c, score in enumerate(lines[place]):
            expected[(*place, c)] = np.exp(score) / sum(np.exp(other) for other in lines[place])

    y = layer(x)

    np.testing.assert_allclose(np.moveaxis(y.detach().numpy(), axis, -1), expected, rtol=1e-12)


def test_large_scores_do_not_overflow() -> None:
    layer = make_layer('type: "Softmax"', (2, 3))
    (x,) = random_bottoms((2, 3))

    np.testing.assert_allclose((layer(x + 1000)).detach(), layer(x).detach(), rtol=1e-9)


def test_an_axis_that_the_bottom_lacks_is_refused() -> None:
    with pytest.raises(LayerError, match=r"layer 'prob' .*softmax_param.axis is 2"):
        make_layer('name: "prob" type: "Softmax" softmax_param { axis: 2 }', (2, 3))


@pytest.mark.parametrize("classes", [3, 16, 21])
def test_images_may_have_their_channels_last_in_memory(classes: int) -> None:
    x = torch.randn(2, classes, 4, 5)

    y = make_layer('type: "Softmax"', x.shape)(x.to(memory_format=torch.channels_last))

    torch.testing.assert_close(y, x.exp() / x.exp().sum(1, keepdim=True))
