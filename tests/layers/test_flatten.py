import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "flat" type: "Flatten" flatten_param { %s }'


@pytest.mark.parametrize(
    ("option", "top"),
    [
        pytest.param("", (2, 60), id="default"),
        pytest.param("axis: 2", (2, 3, 20), id="axis 2"),
        pytest.param("axis: -2", (2, 3, 20), id="last two axes"),
        pytest.param("axis: 0", (120,), id="all axes"),
        pytest.param("end_axis: 2", (2, 12, 5), id="up to axis 2"),
        pytest.param("axis: 0 end_axis: -2", (24, 5), id="up to the last but one"),
        pytest.param("axis: 2 end_axis: 2", (2, 3, 4, 5), id="one axis"),
        pytest.param("axis: 2 end_axis: 1", (2, 3, 1, 4, 5), id="no axis"),
    ],
)
def test_conforms(option: str, top: Shape) -> None:
    layer = make_layer(PROTOTXT % option, (2, 3, 4, 5))
    check_layer(layer, random_bottoms((2, 3, 4, 5)), tops=[top])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_numbers_come_in_the_order_of_their_axes(layout: torch.memory_format) -> None:
    x = random_bottoms((2, 3, 4, 5))[0].detach()
    expected = np.empty((2, 60))
    for n, c, h, w in np.ndindex(2, 3, 4, 5):
        expected[n, (c * 4 + h) * 5 + w] = x[n, c, h, w]

    y = make_layer(PROTOTXT % "", (2, 3, 4, 5))(x.to(memory_format=layout))

    assert y.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("option", "text", "field"),
    [
        ("axis: 3", r"flatten_param.axis is 3, but the bottom \(2, 3, 4\) has 3 axes", "axis"),
        ("end_axis: -4", r"flatten_param.end_axis is -4, but the bottom", "end_axis"),
        ("axis: 2 end_axis: -3", "end_axis is -3, which is in front of axis 2", "end_axis"),
    ],
    ids=["axis", "end_axis", "order"],
)
def test_axes_that_cannot_be_are_refused(option: str, text: str, field: str) -> None:
    with pytest.raises(LayerError, match=f"layer 'flat' .*{text}") as caught:
        make_layer(PROTOTXT % option, (2, 3, 4))

    assert caught.value.field == f"flatten_param.{field}"
