import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "conv4_3_norm_mbox_loc_perm" type: "Permute" permute_param { %s }'


@pytest.mark.parametrize(
    ("order", "axes"),
    [
        pytest.param("order: [0, 2, 3, 1]", (0, 2, 3, 1), id="all"),
        pytest.param("order: [2, 0]", (2, 0, 1, 3), id="the others follow"),
        pytest.param("", (0, 1, 2, 3), id="none"),
    ],
)
def test_value_and_gradient(order: str, axes: Shape) -> None:
    layer = make_layer(PROTOTXT % order, (2, 3, 4, 5))
    (x,) = random_bottoms((2, 3, 4, 5))

    y = layer(x)

    assert y[1, 1, 1, 2] == x[tuple([1, 1, 1, 2][axes.index(axis)] for axis in range(4))]
    assert torch.equal(y, x.permute(axes))
    check_layer(layer, [x], tops=[tuple((2, 3, 4, 5)[axis] for axis in axes)])


@pytest.mark.parametrize(
    ("order", "text"),
    [
        pytest.param("order: [0, 4]", "order is 4, .* has 4 axes", id="no such axis"),
        pytest.param(
            "order: [1, 2, 1]", r"order is \[1, 2, 1\], must have no axis twice", id="twice"
        ),
    ],
)
def test_impossible_orders(order: str, text: str) -> None:
    with pytest.raises(LayerError, match=f"_perm' .*{text}") as caught:
        make_layer(PROTOTXT % order, (2, 3, 4, 5))

    assert caught.value.field == "permute_param.order"


def test_a_bottom_of_other_axes_is_refused() -> None:
    with pytest.raises(LayerError, match=r"_perm' .*\(2, 3\), must have 4 axes"):
        make_layer(PROTOTXT % "order: 1", (2, 3, 4, 5)).top_shapes((2, 3))
